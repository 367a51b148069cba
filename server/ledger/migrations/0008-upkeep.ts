/** What lets the books of a relay that runs for years stay small. Times as in 0001-books.ts. */
export const upkeep = `
-- Evidence of calls that were admitted before is no longer kept. One row; it only grows.
CREATE TABLE evidence_horizon (before_ms INTEGER NOT NULL CHECK (before_ms >= 0)) STRICT;
INSERT INTO evidence_horizon VALUES (0);
-- Evidence itself is found by its age without an index: call ids sort by time.
CREATE INDEX attestations_by_time ON attestations (stored_at_ms);
-- For the foreign key too: without it, each attestation that goes would have all evidence read.
CREATE INDEX evidence_by_attestation ON evidence (attestation) WHERE attestation IS NOT NULL;
`;
