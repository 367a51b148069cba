/**
 * What the relay buys from sellers that take x402 or MPP. Amounts, ids and times as in 0001-books.ts. A purchase stands here
 * before its signature leaves the relay, and counts as spent until it is known that it cost less.
 */
export const purchases = `
-- A channel of the relay's wallet with a seller. One per seller, chain, escrow and token is in use.
CREATE TABLE purchase_channels (
  channel_id BLOB PRIMARY KEY CHECK (length(channel_id) = 32),
  provider TEXT NOT NULL,
  chain_id INTEGER NOT NULL,
  escrow BLOB NOT NULL CHECK (length(escrow) = 20),
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  payee BLOB NOT NULL CHECK (length(payee) = 20),
  token BLOB NOT NULL CHECK (length(token) = 20),
  salt_index INTEGER NOT NULL CHECK (salt_index >= 0),
  -- What of the deposit counts, by the chain's finality; 0 until then.
  deposit BLOB NOT NULL CHECK (length(deposit) = 16),
  -- The highest voucher: what the seller could take.
  signed BLOB NOT NULL CHECK (length(signed) = 16 AND signed <= deposit),
  -- The running total of its last receipt.
  spent BLOB NOT NULL CHECK (length(spent) = 16 AND spent <= signed),
  sequence INTEGER NOT NULL CHECK (sequence >= 0),
  -- Sum of the maxima of its purchases whose cost is not known.
  reserved BLOB NOT NULL CHECK (length(reserved) = 16),
  -- How many deposits were begun; the last one is under way while refill_amount stands.
  refills INTEGER NOT NULL CHECK (refills >= 0),
  refill_amount BLOB CHECK (length(refill_amount) = 16),
  -- Since when it has been below its threshold; null while it is not.
  low_since_ms INTEGER,
  -- Why nothing is paid any more, until the operator says otherwise.
  stopped TEXT,
  retired INTEGER NOT NULL CHECK (retired IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX purchase_channels_in_use ON purchase_channels (provider, chain_id, escrow, payer, token) WHERE retired = 0;

CREATE TABLE purchases (
  purchase_id INTEGER PRIMARY KEY,
  call_id BLOB NOT NULL CHECK (length(call_id) = 16),
  attempt INTEGER NOT NULL CHECK (attempt > 0),
  provider TEXT NOT NULL,
  method TEXT NOT NULL CHECK (method IN ('x402', 'evm/charge', 'evm/session')),
  chain_id INTEGER NOT NULL,
  token BLOB NOT NULL CHECK (length(token) = 20),
  payer BLOB NOT NULL CHECK (length(payer) = 20),
  payee BLOB NOT NULL CHECK (length(payee) = 20),
  -- Of an EIP-3009 authorization.
  nonce BLOB CHECK (length(nonce) = 32),
  valid_before_seconds INTEGER CHECK ((valid_before_seconds IS NULL) = (nonce IS NULL)),
  -- Of a voucher.
  channel_id BLOB REFERENCES purchase_channels CHECK ((channel_id IS NULL) = (nonce IS NOT NULL)),
  cumulative BLOB CHECK (length(cumulative) = 16 AND (channel_id IS NULL) = (cumulative IS NULL)),
  -- The most that it can cost.
  maximum BLOB NOT NULL CHECK (length(maximum) = 16),
  -- open: its answer is under way. unknown: nobody knows yet what it cost. paid: it cost what stands in cost. void: nothing was taken, and nothing can be.
  state TEXT NOT NULL CHECK (state IN ('open', 'unknown', 'paid', 'void')),
  cost BLOB CHECK (length(cost) = 16 AND cost <= maximum AND (cost IS NOT NULL) = (state IN ('paid', 'void'))),
  transaction_hash BLOB CHECK (length(transaction_hash) = 32),
  -- The seller's own, base64 SignedReceipt.
  receipt TEXT,
  -- UTC day on which it was signed, whose limit it counts against.
  day INTEGER NOT NULL CHECK (day >= 0),
  opened_at_ms INTEGER NOT NULL,
  CHECK (state <> 'void' OR cost = x'00000000000000000000000000000000')
) STRICT;
-- One attempt is paid for once, and an authorization is signed once.
CREATE UNIQUE INDEX purchases_by_attempt ON purchases (call_id, attempt);
CREATE UNIQUE INDEX purchases_by_nonce ON purchases (chain_id, token, payer, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX purchases_unfinished ON purchases (state, purchase_id) WHERE state IN ('open', 'unknown');

-- What a seller was paid, or may have been, on one UTC day.
CREATE TABLE purchase_days (
  provider TEXT NOT NULL,
  chain_id INTEGER NOT NULL,
  token BLOB NOT NULL CHECK (length(token) = 20),
  day INTEGER NOT NULL,
  amount BLOB NOT NULL CHECK (length(amount) = 16),
  PRIMARY KEY (provider, chain_id, token, day)
) STRICT, WITHOUT ROWID;
`;
