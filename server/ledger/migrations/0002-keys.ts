/**
 * API keys, their projects, and who may be charged for them. Amounts, ids and times as in 0001-books.ts; `metadata` and
 * `models` are JSON. A key itself is nowhere: `secret_hash` is the SHA-256 of 32 random bytes and a prefix, which nobody
 * can invert. Deleted rows stay, so that reports can name what they sum.
 */
export const keys = `
CREATE TABLE projects (
  project_id TEXT PRIMARY KEY,
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  token BLOB NOT NULL CHECK (length(token) = 20),
  name TEXT NOT NULL,
  metadata TEXT NOT NULL,
  models TEXT,
  budget BLOB CHECK (length(budget) = 16),
  budget_duration TEXT,
  budget_from_seconds INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  deleted_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX projects_by_payer ON projects (payer, project_id);

CREATE TABLE api_keys (
  key_id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
  hint TEXT NOT NULL,
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  token BLOB NOT NULL CHECK (length(token) = 20),
  mode TEXT NOT NULL CHECK (mode IN ('channel', 'allowance')),
  project_id TEXT REFERENCES projects,
  name TEXT NOT NULL,
  metadata TEXT NOT NULL,
  models TEXT,
  budget BLOB CHECK (length(budget) = 16),
  budget_duration TEXT,
  budget_from_seconds INTEGER NOT NULL,
  expires_at_ms INTEGER,
  rpm_limit INTEGER CHECK (rpm_limit > 0),
  tpm_limit INTEGER CHECK (tpm_limit > 0),
  manages INTEGER NOT NULL CHECK (manages IN (0, 1)),
  created_by TEXT NOT NULL CHECK (created_by IN ('payer', 'operator')),
  created_at_ms INTEGER NOT NULL,
  deleted_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_payer ON api_keys (payer, key_id);
CREATE INDEX api_keys_by_project ON api_keys (project_id) WHERE project_id IS NOT NULL AND deleted_at_ms IS NULL;

-- The channel that a payer's keys spend from, in each token: the one on which it last posted headroom for them.
CREATE TABLE key_channels (
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  token BLOB NOT NULL CHECK (length(token) = 20),
  channel_id BLOB NOT NULL REFERENCES channels,
  posted_at_ms INTEGER NOT NULL,
  PRIMARY KEY (payer, token)
) STRICT, WITHOUT ROWID;

-- Nonces of logins, until they would have lapsed by themselves.
CREATE TABLE used_nonces (
  nonce TEXT PRIMARY KEY,
  expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_nonces_by_expiry ON used_nonces (expires_at_ms);
`;
