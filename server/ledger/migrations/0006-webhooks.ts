/** Who is told of each receipt, and how far. What has not been tried yet stands in `charges` alone. Times as in 0001-books.ts. */
export const webhooks = `
CREATE TABLE webhooks (
  url TEXT PRIMARY KEY CHECK (length(url) <= 2048),
  -- Receipts from this position of the log on have not been tried.
  next_index INTEGER NOT NULL CHECK (next_index >= 0)
) STRICT, WITHOUT ROWID;

-- Receipts whose delivery failed so far. One that was delivered leaves.
CREATE TABLE webhook_deliveries (
  url TEXT NOT NULL REFERENCES webhooks,
  log_index INTEGER NOT NULL REFERENCES charges,
  attempts INTEGER NOT NULL CHECK (attempts > 0),
  -- When it is tried again; null if it is not, until the operator says so.
  next_at_ms INTEGER,
  failure TEXT NOT NULL CHECK (length(failure) <= 200),
  PRIMARY KEY (url, log_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (url, next_at_ms) WHERE next_at_ms IS NOT NULL;
`;
