/** What the audit trail keeps beside the charges. Times as in 0001-books.ts. */
export const audit = `
-- Checkpoints that were signed, the newest 1,000 of them. A larger one begins with the entries of each smaller one, and a size is
-- never signed with another root.
CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  signed_at_ms INTEGER NOT NULL,
  -- The signed note with all its signatures, cosignatures included.
  note TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- For queries by time: from first_index on, receipts are charged in this hour (unix milliseconds / 3,600,000), up to the next row.
-- One row for each change of the hour, backwards too where the clock was set back.
CREATE TABLE log_hours (
  first_index INTEGER PRIMARY KEY CHECK (first_index >= 0),
  hour INTEGER NOT NULL
) STRICT;
INSERT INTO log_hours SELECT log_index, hour FROM (
  SELECT log_index, signed_at_ms / 3600000 AS hour, lag(signed_at_ms / 3600000) OVER (ORDER BY log_index) AS before
  FROM charges JOIN receipt_batches USING (batch_id)
) WHERE hour IS NOT before;

-- For a payer's bookings. No call touches either: a channel's payer never changes, and payments are collected in the background.
CREATE INDEX channels_by_payer ON channels (payer);
CREATE INDEX direct_payments_by_booking ON direct_payments (payer, collection_id) WHERE collection_id IS NOT NULL;

-- Where blocks of the log are kept besides the relay's own folder: each of them at an IPFS node; at a pinning service only the newest,
-- whose links reach those before it.
CREATE TABLE pins (
  -- The node or the service.
  keeper TEXT NOT NULL CHECK (length(keeper) BETWEEN 1 AND 80),
  start INTEGER NOT NULL REFERENCES blocks,
  state TEXT NOT NULL CHECK (state IN ('queued', 'pinning', 'pinned', 'failed')),
  -- What a service calls its pin; null at a node.
  request_id TEXT CHECK (length(request_id) <= 256),
  -- Failures since it was last as it should be.
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  -- When it is tried again, or looked after.
  next_at_ms INTEGER NOT NULL,
  failure TEXT CHECK (length(failure) <= 200),
  PRIMARY KEY (keeper, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX pins_by_time ON pins (keeper, next_at_ms);
CREATE INDEX pins_waiting ON pins (keeper, start) WHERE state <> 'pinned';

-- What supports answers beside the relay's signature: evidence documents as JSON, and the attestations that many of them share.
CREATE TABLE attestations (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
  body TEXT NOT NULL CHECK (octet_length(body) <= 524288),
  stored_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE evidence (
  call_id BLOB PRIMARY KEY CHECK (length(call_id) = 16),
  attestation BLOB REFERENCES attestations,
  body TEXT NOT NULL CHECK (octet_length(body) <= 524288)
) STRICT, WITHOUT ROWID;
`;
