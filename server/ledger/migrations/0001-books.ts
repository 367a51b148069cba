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

-- A payment of its own for one call: its id is that of its authorization, so that this is reserved before it is used. What is
-- taken is charged or owed back; a charge of nothing takes nothing.
CREATE TABLE direct_payments (
  payment_id BLOB PRIMARY KEY CHECK (length(payment_id) = 32),
  -- The call that it pays for; of a released payment the last one.
  call_id BLOB NOT NULL UNIQUE REFERENCES calls DEFERRABLE INITIALLY DEFERRED,
  kind TEXT NOT NULL CHECK (kind IN ('eip3009', 'permit2-exact', 'permit2-upto', 'allowance')),
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  token BLOB NOT NULL CHECK (length(token) = 20),
  maximum BLOB NOT NULL CHECK (length(maximum) = 16),
  payload TEXT NOT NULL CHECK (octet_length(payload) <= 8192),
  valid_before_seconds INTEGER CHECK (valid_before_seconds >= 0),
  state TEXT NOT NULL CHECK (state IN ('reserved', 'released', 'due', 'settled', 'lost', 'forgiven')),
  charge BLOB NOT NULL CHECK (length(charge) = 16 AND charge <= captured),
  captured BLOB NOT NULL CHECK (length(captured) = 16 AND captured <= maximum),
  charged_at_ms INTEGER CHECK ((charged_at_ms IS NULL) = (state IN ('reserved', 'released'))),
  transaction_hash BLOB CHECK (length(transaction_hash) = 32),
  loss_reason TEXT,
  collection_id INTEGER REFERENCES collections,
  CHECK ((captured = x'00000000000000000000000000000000') = (charge = x'00000000000000000000000000000000')),
  CHECK (captured = x'00000000000000000000000000000000'
    OR CASE WHEN kind IN ('eip3009', 'permit2-exact') THEN captured = maximum ELSE captured = charge END),
  CHECK (captured = x'00000000000000000000000000000000' OR state IN ('due', 'settled', 'lost', 'forgiven')),
  CHECK (captured <> x'00000000000000000000000000000000' OR state IN ('reserved', 'released', 'settled')),
  CHECK ((transaction_hash IS NOT NULL) = (state = 'settled' AND captured <> x'00000000000000000000000000000000')),
  CHECK (loss_reason IS NOT NULL OR state NOT IN ('lost', 'forgiven')),
  CHECK (loss_reason IS NULL OR state IN ('settled', 'lost', 'forgiven')),
  CHECK (collection_id IS NULL OR (transaction_hash IS NOT NULL AND kind <> 'allowance'))
) STRICT, WITHOUT ROWID;
CREATE INDEX direct_payments_unsettled ON direct_payments (state, charged_at_ms) WHERE state IN ('due', 'lost');
CREATE INDEX direct_payments_lost ON direct_payments (payer) WHERE state = 'lost';
CREATE INDEX direct_payments_open ON direct_payments (payer, token) WHERE kind = 'allowance' AND state IN ('reserved', 'due');
CREATE INDEX direct_payments_signed ON direct_payments (payer, token) WHERE kind <> 'allowance' AND state IN ('reserved', 'due');
CREATE INDEX direct_payments_unbooked ON direct_payments (charged_at_ms)
  WHERE transaction_hash IS NOT NULL AND collection_id IS NULL AND kind <> 'allowance';
CREATE INDEX direct_payments_by_collection ON direct_payments (collection_id) WHERE collection_id IS NOT NULL;

CREATE TABLE calls (
  call_id BLOB PRIMARY KEY CHECK (length(call_id) = 16),
  -- What it is charged to: nothing on a free route; a voucher; what a channel's payer signed before; a payment of its own.
  funds TEXT NOT NULL CHECK (funds IN ('free', 'voucher', 'key', 'direct')),
  channel_id BLOB REFERENCES channels CHECK ((channel_id IS NOT NULL) = (funds IN ('voucher', 'key'))),
  voucher_cumulative BLOB CHECK (length(voucher_cumulative) = 16),
  payment_id BLOB REFERENCES direct_payments CHECK ((payment_id IS NOT NULL) = (funds = 'direct')),
  quote BLOB NOT NULL CHECK (length(quote) = 16),
  model TEXT NOT NULL,
  -- AGPT wei per atomic unit, times 10^18, by which the call counts in model_days.
  budget_rate BLOB CHECK (length(budget_rate) = 16),
  -- The rows of scope_spending in which it counts: JSON, [[scope, window], ...].
  scopes TEXT CHECK (json_array_length(scopes) > 0),
  key_id TEXT,
  -- Until when its answer is kept; null if it has neither an idempotency key nor a payment of its own.
  answer_until_ms INTEGER,
  admitted_at_ms INTEGER NOT NULL,
  lease_until_ms INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('reserved', 'charged', 'released')),
  release_reason TEXT CHECK ((release_reason IS NOT NULL) = (state = 'released')),
  ended_at_ms INTEGER CHECK ((ended_at_ms IS NULL) = (state = 'reserved')),
  -- Whether the voucher of this released call has admitted a repetition of its request.
  superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded = 0 OR (superseded = 1 AND state = 'released' AND funds = 'voucher')),
  CHECK ((voucher_cumulative IS NOT NULL) = (funds = 'voucher')),
  CHECK ((budget_rate IS NULL) = (funds = 'free')),
  CHECK (funds <> 'free' OR (scopes IS NULL AND quote = x'00000000000000000000000000000000'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX calls_by_voucher ON calls (channel_id, voucher_cumulative)
  WHERE voucher_cumulative IS NOT NULL AND superseded = 0;
CREATE INDEX calls_by_lease ON calls (lease_until_ms) WHERE state = 'reserved';

-- What keys, projects and payers have spent of their limits, atomic units of the token.
CREATE TABLE scope_spending (
  scope TEXT NOT NULL,
  window INTEGER NOT NULL CHECK (window >= 0),
  token BLOB NOT NULL CHECK (length(token) = 20),
  charged BLOB NOT NULL CHECK (length(charged) = 16),
  reserved BLOB NOT NULL CHECK (length(reserved) = 16),
  PRIMARY KEY (scope, window, token)
) STRICT, WITHOUT ROWID;

-- Which call a key stands for. A released call's key is free for another; the sweep forgets what is too old.
CREATE TABLE idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  call_id BLOB NOT NULL UNIQUE REFERENCES calls,
  body_digest BLOB NOT NULL CHECK (length(body_digest) = 32),
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (until_ms);

CREATE TABLE answers (
  answer_id INTEGER PRIMARY KEY,
  call_id BLOB NOT NULL UNIQUE REFERENCES calls,
  until_ms INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  headers TEXT NOT NULL CHECK (json_type(headers) = 'object'),
  body BLOB NOT NULL
) STRICT;
CREATE INDEX answers_by_age ON answers (until_ms);
-- One row: how many bytes the rows of answers are, headers and bodies.
CREATE TABLE kept_answers (bytes INTEGER NOT NULL CHECK (bytes >= 0)) STRICT;
INSERT INTO kept_answers VALUES (0);

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
  -- Claims on channels, or direct payments, which have been taken one by one when they are put together here.
  source TEXT NOT NULL CHECK (source IN ('channels', 'payments')),
  token BLOB NOT NULL CHECK (length(token) = 20),
  state TEXT NOT NULL CHECK (state IN ('open', 'abandoned', 'collected', 'booked')),
  transaction_hash BLOB CHECK (length(transaction_hash) = 32),
  booking_id TEXT,
  booking_transaction_hash BLOB CHECK (length(booking_transaction_hash) = 32),
  -- Whether its one channel is closed by it, because its payer asked.
  closes INTEGER NOT NULL DEFAULT 0 CHECK (closes = 0 OR (closes = 1 AND source = 'channels')),
  CHECK ((transaction_hash IS NOT NULL) = (source = 'channels' AND state IN ('collected', 'booked'))),
  CHECK (source = 'channels' OR state IN ('collected', 'booked')),
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
CREATE INDEX collection_claims_by_voucher ON collection_claims (channel_id, maximum);

-- The order of the charges is the order of the log. Small columns first: the blobs behind them are read by few.
CREATE TABLE charges (
  log_index INTEGER PRIMARY KEY CHECK (log_index >= 0),
  call_id BLOB NOT NULL UNIQUE REFERENCES calls,
  channel_id BLOB REFERENCES channels,
  sequence INTEGER NOT NULL,
  -- Of channels; direct payments have their own.
  collection_id INTEGER REFERENCES collections,
  amount BLOB NOT NULL CHECK (length(amount) = 16),
  running_total BLOB NOT NULL CHECK (length(running_total) = 16),
  token BLOB NOT NULL CHECK (length(token) = 20),
  day INTEGER NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  payer BLOB CHECK (length(payer) = 20),
  key_id TEXT,
  batch_id INTEGER NOT NULL REFERENCES receipt_batches DEFERRABLE INITIALLY DEFERRED,
  batch_index INTEGER NOT NULL CHECK (batch_index >= 0),
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  request_salt BLOB NOT NULL CHECK (length(request_salt) = 32),
  response_salt BLOB NOT NULL CHECK (length(response_salt) = 32),
  entry BLOB NOT NULL,
  CHECK ((channel_id IS NULL) = (sequence = 0)),
  CHECK (channel_id IS NULL OR payer IS NOT NULL),
  CHECK (payer IS NOT NULL OR amount = x'00000000000000000000000000000000'),
  CHECK (channel_id IS NOT NULL OR collection_id IS NULL)
) STRICT;
CREATE UNIQUE INDEX charges_by_channel ON charges (channel_id, sequence) WHERE channel_id IS NOT NULL;
CREATE UNIQUE INDEX charges_by_batch ON charges (batch_id, batch_index);
-- What cost nothing is never collected: it must not stand before what did.
CREATE INDEX charges_uncollected ON charges (channel_id, sequence)
  WHERE channel_id IS NOT NULL AND collection_id IS NULL AND amount <> x'00000000000000000000000000000000';
CREATE INDEX charges_by_payer ON charges (payer) WHERE payer IS NOT NULL;
CREATE INDEX charges_by_key ON charges (key_id) WHERE key_id IS NOT NULL;
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

-- What the relay's accounts send. A nonce is given once, unless nothing of ours came of it.
CREATE TABLE transactions (
  transaction_id INTEGER PRIMARY KEY,
  purpose TEXT NOT NULL,
  account BLOB NOT NULL CHECK (length(account) = 20),
  nonce INTEGER NOT NULL CHECK (nonce >= 0),
  status TEXT NOT NULL CHECK (status IN ('signed', 'succeeded', 'reverted'))
) STRICT;
CREATE UNIQUE INDEX transactions_by_purpose ON transactions (purpose) WHERE status <> 'reverted';
CREATE UNIQUE INDEX transactions_by_nonce ON transactions (account, nonce) WHERE status <> 'reverted';
CREATE INDEX transactions_by_account ON transactions (account, nonce);
CREATE INDEX transactions_unfinished ON transactions (account, nonce) WHERE status = 'signed';

-- One signature of a transaction, all with its nonce: at most one of them can be mined. Number 0 is the first.
CREATE TABLE transaction_attempts (
  transaction_id INTEGER NOT NULL REFERENCES transactions,
  number INTEGER NOT NULL CHECK (number >= 0),
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  raw BLOB NOT NULL,
  signed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (transaction_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;
