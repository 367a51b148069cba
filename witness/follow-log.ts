import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { parseCheckpoint } from '../protocol/log/checkpoint.ts';
import { parseNote } from '../protocol/log/signed-note.ts';
import { createTileTree, type TileTree } from '../protocol/log/tile-tree.ts';
import { verifyConsistency } from '../protocol/merkle/consistency.ts';
import type { AddCheckpointAnswer, Witness, WitnessedLog } from './create-witness.ts';
import type { RemoteLog } from './fetch-log.ts';
import type { CosignedCheckpoint } from './witness-state.ts';

/** What a look at a log found. */
export interface LogView {
  origin: string;
  /** Of the checkpoint that the log shows. */
  size: number;
  /** What was cosigned before, 0 for nothing. */
  cosignedBefore: number;
}

/**
 * Looks at a log as any of its readers does, builds the proof from its tiles, and cosigns what it shows.
 *
 * @throws AutoPayError `verification_failed` if the log cannot be cosigned: it shows less than before, its tiles do not lead to what it
 * signed, its newer root does not begin with the older, or its signature is not good. `upstream_unreachable`, `upstream_error`,
 * `chain_unavailable`, `invalid_encoding`
 */
export async function lookAtLog(parts: { witness: Witness; known: WitnessedLog; remote: RemoteLog }): Promise<LogView> {
  const { witness, known, remote } = parts;
  const note = await remote.fetchCheckpoint();
  const { origin, size, root } = parseCheckpoint(parseNote(note).text);
  if (origin !== known.origin) throw failed(known, `it shows a checkpoint of ${origin.slice(0, 200)}`);
  const seen = witness.latest(origin);
  const oldSize = seen?.size ?? 0;
  if (size < oldSize) {
    // Told to the witness all the same: it knows whether the two contradict each other.
    requireJudged(known, await witness.addCheckpoint({ oldSize: size, proof: [], note }), [200, 409, 422]);
    throw failed(known, `it shows ${size} entries, and ${oldSize} were cosigned`);
  }
  const tree = createTileTree({ size, readTile: remote.readTile });
  const proof = oldSize === 0 || oldSize === size ? [] : await tree.consistencyProof(oldSize);
  const answer = await witness.addCheckpoint({ oldSize, proof, note });
  if (answer.status === 200) return { origin, size, cosignedBefore: oldSize };
  if (answer.status === 422 && seen !== undefined && oldSize < size) {
    await accuseOfRewriting({ witness, known, note, seen }, { tree, size, root });
  }
  if (answer.status !== 409) throw failed(known, answer.reason);
  if (answer.size === oldSize) throw failed(known, `it shows another root of its ${size} entries than was cosigned`);
  // Another process of this witness was faster.
  return { origin, size, cosignedBefore: answer.size };
}

/**
 * Wrong tiles convict nobody. But if they prove that what was signed begins with other entries than those that were cosigned, the log has
 * rewritten them, and proof and signatures say so by themselves.
 */
async function accuseOfRewriting(
  { witness, known, note, seen }: { witness: Witness; known: WitnessedLog; note: string; seen: CosignedCheckpoint },
  { tree, size, root }: { tree: TileTree; size: number; root: Uint8Array },
): Promise<void> {
  const { size: oldSize } = seen;
  const [olderRoot, proof] = await Promise.all([tree.subtreeRoot(0, oldSize), tree.consistencyProof(oldSize)]);
  if (!verifyConsistency({ olderRoot, olderSize: oldSize, newerRoot: root, newerSize: size, proof })) {
    throw failed(known, `its tiles do not lead to the root that it signed for ${size} entries`);
  }
  const { origin, verifierKey } = known;
  const inBase64 = (hash: Uint8Array) => Buffer.from(hash).toString('base64');
  const statement =
    `its checkpoint of ${size} entries begins with ${oldSize} that have the root ${inBase64(olderRoot)}, as the consistency proof shows, ` +
    'and it has signed another root for them';
  witness.accuse({
    ...{ kind: 'rewritten', origin, verifierKey, seen: seen.note, offered: note, statement },
    proof: { olderRoot: inBase64(olderRoot), hashes: proof.map(inBase64) },
  });
  throw failed(known, `it has rewritten entries below ${oldSize}`);
}

function requireJudged(known: WitnessedLog, answer: AddCheckpointAnswer, statuses: readonly number[]): void {
  if (!statuses.includes(answer.status) && 'reason' in answer) throw failed(known, answer.reason);
}

function failed({ origin }: Pick<WitnessedLog, 'origin'>, why: string): AutoPayError {
  return new AutoPayError('verification_failed', `The log ${origin} is not cosigned: ${why}.`);
}
