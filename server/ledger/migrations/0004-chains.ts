/**
 * Version 4: payment on several chains. Whatever belongs to one chain says so; what was there before is of the home chain, the one
 * in `scope`. The log and the budgets are of all chains together.
 */
export const chains = `
CREATE TABLE chains (
  chain_id INTEGER PRIMARY KEY CHECK (chain_id > 0),
  verifying_contract BLOB NOT NULL CHECK (length(verifying_contract) = 20)
) STRICT;
INSERT INTO chains SELECT chain_id, verifying_contract FROM scope;

ALTER TABLE channels ADD COLUMN chain_id INTEGER REFERENCES chains;
ALTER TABLE direct_payments ADD COLUMN chain_id INTEGER REFERENCES chains;
ALTER TABLE calls ADD COLUMN chain_id INTEGER REFERENCES chains;
ALTER TABLE charges ADD COLUMN chain_id INTEGER REFERENCES chains;
-- The AutoPayLLM in whose name a batch is signed is the one of its chain: disputes are decided there.
ALTER TABLE receipt_batches ADD COLUMN chain_id INTEGER REFERENCES chains;
ALTER TABLE collections ADD COLUMN chain_id INTEGER REFERENCES chains;
ALTER TABLE transactions ADD COLUMN chain_id INTEGER REFERENCES chains;
ALTER TABLE projects ADD COLUMN chain_id INTEGER REFERENCES chains;
ALTER TABLE api_keys ADD COLUMN chain_id INTEGER REFERENCES chains;
UPDATE channels SET chain_id = (SELECT chain_id FROM scope);
UPDATE direct_payments SET chain_id = (SELECT chain_id FROM scope);
UPDATE calls SET chain_id = (SELECT chain_id FROM scope);
UPDATE charges SET chain_id = (SELECT chain_id FROM scope);
UPDATE receipt_batches SET chain_id = (SELECT chain_id FROM scope);
UPDATE collections SET chain_id = (SELECT chain_id FROM scope);
UPDATE transactions SET chain_id = (SELECT chain_id FROM scope);
UPDATE projects SET chain_id = (SELECT chain_id FROM scope);
UPDATE api_keys SET chain_id = (SELECT chain_id FROM scope);

-- An account has a nonce on each chain, and a job is sent once on each.
DROP INDEX transactions_by_purpose;
DROP INDEX transactions_by_nonce;
DROP INDEX transactions_by_account;
DROP INDEX transactions_unfinished;
CREATE UNIQUE INDEX transactions_by_purpose ON transactions (chain_id, purpose) WHERE status <> 'reverted';
CREATE UNIQUE INDEX transactions_by_nonce ON transactions (chain_id, account, nonce) WHERE status <> 'reverted';
CREATE INDEX transactions_by_account ON transactions (chain_id, account, nonce);
CREATE INDEX transactions_unfinished ON transactions (chain_id, account, nonce) WHERE status = 'signed';

-- Two chains may have a token at one address.
CREATE TABLE scope_spending_by_chain (
  chain_id INTEGER NOT NULL REFERENCES chains,
  scope TEXT NOT NULL,
  window INTEGER NOT NULL CHECK (window >= 0),
  token BLOB NOT NULL CHECK (length(token) = 20),
  charged BLOB NOT NULL CHECK (length(charged) = 16),
  reserved BLOB NOT NULL CHECK (length(reserved) = 16),
  PRIMARY KEY (scope, window, chain_id, token)
) STRICT, WITHOUT ROWID;
INSERT INTO scope_spending_by_chain
  SELECT (SELECT chain_id FROM scope), scope, window, token, charged, reserved FROM scope_spending;
DROP TABLE scope_spending;
ALTER TABLE scope_spending_by_chain RENAME TO scope_spending;

CREATE TABLE key_channels_by_chain (
  chain_id INTEGER NOT NULL REFERENCES chains,
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  token BLOB NOT NULL CHECK (length(token) = 20),
  channel_id BLOB NOT NULL REFERENCES channels,
  posted_at_ms INTEGER NOT NULL,
  PRIMARY KEY (payer, chain_id, token)
) STRICT, WITHOUT ROWID;
INSERT INTO key_channels_by_chain
  SELECT (SELECT chain_id FROM scope), payer, token, channel_id, posted_at_ms FROM key_channels;
DROP TABLE key_channels;
ALTER TABLE key_channels_by_chain RENAME TO key_channels;

CREATE TABLE anchors_by_chain (
  chain_id INTEGER NOT NULL REFERENCES chains,
  size INTEGER NOT NULL CHECK (size > 0),
  transaction_hash BLOB NOT NULL CHECK (length(transaction_hash) = 32),
  PRIMARY KEY (chain_id, size)
) STRICT, WITHOUT ROWID;
INSERT INTO anchors_by_chain SELECT (SELECT chain_id FROM scope), size, transaction_hash FROM anchors;
DROP TABLE anchors;
ALTER TABLE anchors_by_chain RENAME TO anchors;
`;
