import { createHash } from 'node:crypto';
import { AutoPayError } from '../errors/auto-pay-error.ts';

/** What a log asks of a witness by `POST <witness>/add-checkpoint` (C2SP tlog-witness). */
export interface AddCheckpointRequest {
  /** Size of the checkpoint that the witness cosigned last, by what the log knows; 0 before the first. */
  oldSize: number;
  /** RFC 6962 consistency proof from `oldSize` to the checkpoint's size; empty where one of them is the other, or 0. */
  proof: readonly Uint8Array[];
  /** The checkpoint: a signed note. */
  note: string;
}

/** SHA-256 of a log's origin, hexadecimal: a witness shows the log's checkpoint at `GET <witness>/<hash>/checkpoint` (C2SP tlog-witness). */
export function hashOrigin(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}

/** A witness takes no longer body: 63 lines of proof, and a note with a few hundred signatures. */
export const maxAddCheckpointBytes = 65_536;

/** `old <size>`, at most 63 lines of proof, an empty line, the note. */
const bodyPattern = /^old (0|[1-9][0-9]{0,15})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n([^]+\n)$/;

/** The body of a request. */
export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpointRequest): string {
  const lines = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `old ${oldSize}\n${lines.join('')}\n${note}`;
}

/**
 * Reads the body of a request. The note is not looked at.
 * @throws AutoPayError `invalid_encoding`
 */
export function parseAddCheckpoint(body: string): AddCheckpointRequest {
  const [, size = '', lines = '', note = ''] = bodyPattern.exec(body) ?? [];
  const oldSize = Number(size);
  const proof = lines.split('\n').slice(0, -1);
  const hashes = proof.map((line) => Buffer.from(line, 'base64'));
  // Base64 of 32 bytes has two spare bits: only one text of each hash is taken.
  const isCanonical = hashes.every((hash, at) => hash.toString('base64') === proof[at]);
  if (size !== '' && Number.isSafeInteger(oldSize) && isCanonical) return { oldSize, proof: hashes, note };
  throw new AutoPayError(
    'invalid_encoding',
    'A request is "old <size>", at most 63 hashes in base64, an empty line and a checkpoint, each line with its end.',
  );
}
