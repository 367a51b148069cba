import { isHex } from '../protocol/bytes/hex.ts';
import type { LogCheckpoint } from '../protocol/log/checkpoint.ts';
import { recoverSignedCheckpoint } from '../protocol/log/relay-signature.ts';
import type { ForkEvidence } from './keep-evidence.ts';
import type { WitnessState } from './witness-state.ts';

/**
 * Looks whether a checkpoint that the log has signed contradicts one that was cosigned, by the two alone: a proof that does not fit says
 * nothing of the log, because anybody can send one.
 */
export function findContradiction(facts: {
  state: Pick<WitnessState, 'at' | 'latest'>;
  verifierKey: string;
  checkpoint: LogCheckpoint;
  /** The signed note of `checkpoint`, with lines that were checked and no others. */
  offered: string;
}): ForkEvidence | undefined {
  const { state, verifierKey, checkpoint, offered } = facts;
  const { origin, size, root } = checkpoint;
  const about = { origin, verifierKey, offered };
  const same = state.at(origin, size);
  if (same !== undefined && Buffer.compare(same.root, root) !== 0) {
    return { kind: 'fork', ...about, seen: same.note, statement: `it signed two roots of its first ${size} entries` };
  }
  const largest = state.latest(origin);
  if (largest === undefined || size >= largest.size) return undefined;
  const [before = Infinity, after = -Infinity] = [signedAtOf(largest.note, origin), signedAtOf(offered, origin)];
  if (after <= before) return undefined;
  const statement = `it signed ${largest.size} entries at ${before} ms, and later, at ${after} ms, only ${size}`;
  return { kind: 'rollback', ...about, seen: largest.note, statement };
}

/** When the relay's receipt key signed a checkpoint, unix milliseconds; undefined if the log is not of a relay, or the key did not. */
function signedAtOf(note: string, origin: string): number | undefined {
  const [, chainId, verifyingContract] = /^eip155\/([1-9][0-9]{0,15})\/(0x[0-9a-f]{40})$/.exec(origin) ?? [];
  if (!isHex(verifyingContract, 20)) return undefined;
  try {
    return recoverSignedCheckpoint(note, { chainId: Number(chainId), verifyingContract }).signedAtMs;
  } catch {
    return undefined;
  }
}
