import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { parseCallId } from '../../protocol/receipt/call-id.ts';
import type { StoredEvidence } from './ledger.ts';
import { textOf } from './rows.ts';

/** Evidence with the attestation that it names. */
export interface KeptEvidence {
  /** JSON; see StoredEvidence. */
  body: string;
  /** JSON; null without one. */
  attestation: string | null;
}

/** Reads and writes the rows of `evidence` and `attestations`. */
export interface EvidenceStore {
  /** Keeps an attestation, once. */
  putAttestation(attestation: { digest: Hex; body: string; nowMs: number }): void;
  insert(callId: string, evidence: StoredEvidence): void;
  find(callId: string): KeptEvidence | undefined;
}

/** Prepares the statements once. */
export function createEvidenceStore(db: DatabaseSync): EvidenceStore {
  const putAttestation = db.prepare(
    'INSERT INTO attestations (digest, body, stored_at_ms) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING',
  );
  const insert = db.prepare('INSERT INTO evidence (call_id, attestation, body) VALUES (?, ?, ?)');
  const select = db.prepare(
    `SELECT evidence.body AS body, attestations.body AS attestation
     FROM evidence LEFT JOIN attestations ON attestations.digest = evidence.attestation WHERE call_id = ?`,
  );
  return {
    putAttestation({ digest, body, nowMs }) {
      putAttestation.run(fromHex(digest, 32), body, nowMs);
    },
    insert(callId, { attestation, body }) {
      insert.run(parseCallId(callId), attestation === null ? null : fromHex(attestation, 32), body);
    },
    find(callId) {
      const row = select.get(parseCallId(callId));
      if (row === undefined) return undefined;
      return {
        body: textOf(row, 'body'),
        attestation: row['attestation'] === null ? null : textOf(row, 'attestation'),
      };
    },
  };
}
