import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { firstCallIdAt, parseCallId } from '../../protocol/receipt/call-id.ts';
import type { StoredEvidence } from './ledger.ts';
import { numberOf, textOf } from './rows.ts';

/** Evidence with the attestation that it names. */
export interface KeptEvidence {
  /** JSON; see StoredEvidence. */
  body: string;
  /** JSON; null without one. */
  attestation: string | null;
}

/** What a call's evidence may be that is no longer kept: its call was admitted before. */
export interface PrunedEvidence {
  /** Unix milliseconds. */
  prunedBeforeMs: number;
}

/** Reads and writes the rows of `evidence`, `attestations` and `evidence_horizon`. */
export interface EvidenceStore {
  /** Keeps an attestation, once. */
  putAttestation(attestation: { digest: Hex; body: string; nowMs: number }): void;
  insert(callId: string, evidence: StoredEvidence): void;
  /** Undefined where there never was any. */
  find(callId: string): KeptEvidence | PrunedEvidence | undefined;
  /**
   * Deletes evidence of calls that were admitted before `beforeMs`, and attestations of that age that nothing names any more; at most
   * `limit` of each, oldest first. Says how many.
   */
  prune(beforeMs: number, limit: number): number;
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
  const selectHorizon = db.prepare('SELECT before_ms FROM evidence_horizon');
  const raiseHorizon = db.prepare('UPDATE evidence_horizon SET before_ms = ? WHERE before_ms < ?');
  const pruneEvidence = db.prepare(
    'DELETE FROM evidence WHERE call_id IN (SELECT call_id FROM evidence WHERE call_id < ? ORDER BY call_id LIMIT ?)',
  );
  const pruneAttestations = db.prepare(
    `DELETE FROM attestations WHERE digest IN (
       SELECT digest FROM attestations
       WHERE stored_at_ms < ? AND NOT EXISTS (SELECT 1 FROM evidence WHERE attestation = attestations.digest)
       ORDER BY stored_at_ms LIMIT ?)`,
  );

  return {
    putAttestation({ digest, body, nowMs }) {
      putAttestation.run(fromHex(digest, 32), body, nowMs);
    },
    insert(callId, { attestation, body }) {
      insert.run(parseCallId(callId), attestation === null ? null : fromHex(attestation, 32), body);
    },
    find(callId) {
      const id = parseCallId(callId);
      const row = select.get(id);
      if (row === undefined) {
        const prunedBeforeMs = numberOf(selectHorizon.get() ?? {}, 'before_ms');
        return Buffer.compare(id, firstCallIdAt(prunedBeforeMs)) < 0 ? { prunedBeforeMs } : undefined;
      }
      return {
        body: textOf(row, 'body'),
        attestation: row['attestation'] === null ? null : textOf(row, 'attestation'),
      };
    },
    prune(beforeMs, limit) {
      raiseHorizon.run(beforeMs, beforeMs);
      const pruned = Number(pruneEvidence.run(firstCallIdAt(beforeMs), limit).changes);
      return pruned + Number(pruneAttestations.run(beforeMs, limit).changes);
    },
  };
}
