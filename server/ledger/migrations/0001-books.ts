/**
 * The first schema. Amounts are 16-byte big-endian blobs (amount-blob.ts), ids and addresses raw bytes, times unix
 * milliseconds unless named otherwise. Blobs of one length compare like numbers, so CHECKs can hold the invariants.
 */
export const books = `
CREATE TABLE scope (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  chain_id INTEGER NOT NULL,
  verifying_contract BLOB NOT NULL CHECK (length(verifying_contract) = 20)
) STRICT;

CREATE TABLE channels (
  channel_id BLOB PRIMARY KEY CHECK (length(channel_id) = 32),
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  payee BLOB NOT NULL CHECK (length(payee) = 20),
  token BLOB NOT NULL CHECK (length(token) = 20),
  salt BLOB NOT NULL CHECK (length(salt) = 32),
  authorized_signer BLOB NOT NULL CHECK (length(authorized_signer) = 20),
  deposit BLOB NOT NULL CHECK (length(deposit) = 16),
  settled BLOB NOT NULL CHECK (length(settled) = 16),
  close_requested_at_seconds INTEGER NOT NULL CHECK (close_requested_at_seconds >= 0),
  finalized INTEGER NOT NULL CHECK (finalized IN (0, 1)),
  read_at_block INTEGER NOT NULL CHECK (read_at_block >= 0),
  accepted_cumulative BLOB NOT NULL CHECK (length(accepted_cumulative) = 16),
  accepted_signature BLOB,
  charged BLOB NOT NULL CHECK (length(charged) = 16 AND charged <= accepted_cumulative),
  reserved BLOB NOT NULL CHECK (length(reserved) = 16 AND reserved <= accepted_cumulative),
  sequence INTEGER NOT NULL CHECK (sequence >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX channels_closing ON channels (channel_id) WHERE close_requested_at_seconds <> 0 AND finalized = 0;

CREATE TABLE calls (
  call_id BLOB PRIMARY KEY CHECK (length(call_id) = 16),
  channel_id BLOB REFERENCES channels,
  voucher_cumulative BLOB CHECK (length(voucher_cumulative) = 16),
  quote BLOB NOT NULL CHECK (length(quote) = 16),
  model TEXT NOT NULL,
  -- AGPT wei per atomic unit, times 10^18, by which the call counts in model_days.
  budget_rate BLOB CHECK (length(budget_rate) = 16),
  admitted_at_ms INTEGER NOT NULL,
  lease_until_ms INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('reserved', 'charged', 'released')),
  release_reason TEXT CHECK ((release_reason IS NOT NULL) = (state = 'released')),
  ended_at_ms INTEGER CHECK ((ended_at_ms IS NULL) = (state = 'reserved')),
  CHECK ((channel_id IS NULL) = (voucher_cumulative IS NULL)),
  CHECK ((channel_id IS NULL) = (budget_rate IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX calls_by_voucher ON calls (channel_id, voucher_cumulative) WHERE channel_id IS NOT NULL;
CREATE INDEX calls_by_lease ON calls (lease_until_ms) WHERE state = 'reserved';

-- What models have spent of their budgets. AGPT wei; limits end at 2^128 - 1, and what would exceed its limit is not held.
CREATE TABLE model_days (
  model TEXT NOT NULL,
  day INTEGER NOT NULL CHECK (day >= 0),
  charged_agpt BLOB NOT NULL CHECK (length(charged_agpt) = 16),
  reserved_agpt BLOB NOT NULL CHECK (length(reserved_agpt) = 16),
  PRIMARY KEY (model, day)
) STRICT, WITHOUT ROWID;

-- The events of ModelBudgets that the relay has read; the last one of a subject with from_day <= day holds on a day.
CREATE TABLE budget_changes (
  block INTEGER NOT NULL CHECK (block >= 0),
  log_index INTEGER NOT NULL CHECK (log_index >= 0),
  kind TEXT NOT NULL CHECK (kind IN ('model', 'default', 'rate')),
  subject BLOB NOT NULL,
  from_day INTEGER NOT NULL CHECK (from_day >= 0),
  value BLOB CHECK (length(value) = 16),
  PRIMARY KEY (block, log_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  call_id BLOB NOT NULL REFERENCES calls,
  number INTEGER NOT NULL,
  provider TEXT NOT NULL,
  deployment TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('ok', 'refused', 'unreachable', 'timeout', 'truncated', 'aborted')),
  status INTEGER,
  usage TEXT,
  usage_kind TEXT NOT NULL CHECK (usage_kind IN ('exact', 'estimated', 'unknown')),
  PRIMARY KEY (call_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt_batches (
  batch_id INTEGER PRIMARY KEY,
  root BLOB NOT NULL CHECK (length(root) = 32),
  size INTEGER NOT NULL CHECK (size > 0),
  signed_at_ms INTEGER NOT NULL,
  signature BLOB NOT NULL CHECK (length(signature) = 65)
) STRICT;

CREATE TABLE collections (
  collection_id INTEGER PRIMARY KEY,
  token BLOB NOT NULL CHECK (length(token) = 20),
  state TEXT NOT NULL CHECK (state IN ('open', 'abandoned', 'collected', 'booked')),
  transaction_hash BLOB CHECK (length(transaction_hash) = 32),
  booking_id TEXT,
  booking_transaction_hash BLOB CHECK (length(booking_transaction_hash) = 32),
  CHECK ((transaction_hash IS NOT NULL) = (state IN ('collected', 'booked'))),
  CHECK ((booking_id IS NOT NULL) = (booking_transaction_hash IS NOT NULL))
) STRICT;
CREATE INDEX collections_unfinished ON collections (state) WHERE state IN ('open', 'collected');

CREATE TABLE collection_claims (
  collection_id INTEGER NOT NULL REFERENCES collections,
  channel_id BLOB NOT NULL REFERENCES channels,
  maximum BLOB NOT NULL CHECK (length(maximum) = 16),
  signature BLOB NOT NULL,
  claimed BLOB NOT NULL CHECK (length(claimed) = 16 AND claimed <= maximum),
  through_sequence INTEGER NOT NULL,
  skipped INTEGER NOT NULL CHECK (skipped IN (0, 1)),
  PRIMARY KEY (collection_id, channel_id)
) STRICT, WITHOUT ROWID;

-- The order of the charges is the order of the log. Small columns first: the blobs behind them are read by few.
CREATE TABLE charges (
  log_index INTEGER PRIMARY KEY CHECK (log_index >= 0),
  call_id BLOB NOT NULL UNIQUE REFERENCES calls,
  channel_id BLOB REFERENCES channels,
  sequence INTEGER NOT NULL,
  collection_id INTEGER REFERENCES collections,
  amount BLOB NOT NULL CHECK (length(amount) = 16),
  running_total BLOB NOT NULL CHECK (length(running_total) = 16),
  token BLOB NOT NULL CHECK (length(token) = 20),
  day INTEGER NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  batch_id INTEGER NOT NULL REFERENCES receipt_batches DEFERRABLE INITIALLY DEFERRED,
  batch_index INTEGER NOT NULL CHECK (batch_index >= 0),
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  request_salt BLOB NOT NULL CHECK (length(request_salt) = 32),
  response_salt BLOB NOT NULL CHECK (length(response_salt) = 32),
  entry BLOB NOT NULL,
  CHECK ((channel_id IS NULL) = (sequence = 0)),
  CHECK (channel_id IS NOT NULL OR collection_id IS NULL)
) STRICT;
CREATE UNIQUE INDEX charges_by_channel ON charges (channel_id, sequence) WHERE channel_id IS NOT NULL;
CREATE UNIQUE INDEX charges_by_batch ON charges (batch_id, batch_index);
-- What cost nothing is never collected: it must not stand before what did.
CREATE INDEX charges_uncollected ON charges (channel_id, sequence)
  WHERE channel_id IS NOT NULL AND collection_id IS NULL AND amount <> x'00000000000000000000000000000000';
CREATE INDEX charges_by_collection ON charges (collection_id, channel_id) WHERE collection_id IS NOT NULL;

CREATE TABLE blocks (
  start INTEGER PRIMARY KEY CHECK (start >= 0),
  size INTEGER NOT NULL UNIQUE CHECK (size > start),
  cid TEXT NOT NULL UNIQUE,
  root BLOB NOT NULL CHECK (length(root) = 32),
  frontier BLOB NOT NULL CHECK (length(frontier) % 32 = 0)
) STRICT;

CREATE TABLE anchors (
  size INTEGER PRIMARY KEY CHECK (size > 0),
  transaction_hash BLOB NOT NULL CHECK (length(transaction_hash) = 32)
) STRICT;

CREATE TABLE transactions (
  transaction_id INTEGER PRIMARY KEY,
  purpose TEXT NOT NULL,
  nonce INTEGER NOT NULL UNIQUE CHECK (nonce >= 0),
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  raw BLOB NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('signed', 'succeeded', 'reverted'))
) STRICT;
CREATE UNIQUE INDEX transactions_by_purpose ON transactions (purpose) WHERE status <> 'reverted';
CREATE INDEX transactions_unfinished ON transactions (nonce) WHERE status = 'signed';

CREATE TABLE state (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;
