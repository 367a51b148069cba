import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { cosignedAt, countCosignatures } from '../../../protocol/log/cosignatures.ts';
import type { JobLog } from '../../chain/job-log.ts';
import type { LogTree } from '../log-tree.ts';
import type { PublishedCheckpoint } from '../publish-checkpoint.ts';
import type { Witness } from './ask-witness.ts';
import { submitCheckpoint } from './submit-checkpoint.ts';

/** What an operator sees of a witness. JSON. */
export interface WitnessState {
  name: string;
  url: string;
  /** The newest size of our log that it cosigned, as far as we know; null before. */
  cosignedSize: number | null;
  /** Unix milliseconds. */
  cosignedAtMs: number | null;
  /** Why the last try came to nothing; null if it did not. */
  error: string | null;
}

/** What an operator sees of the cosignatures. JSON. */
export interface CosigningState {
  /** How many cosignatures an anchor waits for. */
  required: number;
  /** The largest checkpoint that has them. */
  cosignedSize: number;
  /** Since when there is a larger one that has not, unix milliseconds; null while there is none, or where none is required. */
  waitingSinceMs: number | null;
  witnesses: readonly WitnessState[];
}

/** Gathers the cosignatures of witnesses. */
export interface Cosigning {
  /**
   * Submits the newest checkpoint to a witness that has not cosigned it since it was signed, and stores the cosignature.
   * @throws AutoPayError as `submitCheckpoint`; `log_rolled_back` if the witness has cosigned more than there is
   */
  submitTo(witness: Witness): Promise<void>;
  state(): CosigningState;
}

/** What gathering works with. */
export interface CosigningOptions {
  witnesses: readonly Witness[];
  /** How many of them an anchor waits for; 0 for none. */
  required: number;
  tree: Pick<LogTree, 'newestCheckpoint' | 'consistencyProof' | 'cosign'>;
  log: JobLog;
  nowMs: () => number;
  /** Ends what is under way. */
  signal: AbortSignal;
  /** How long one witness is waited for. */
  timeoutMs?: number;
}

/**
 * Gathers cosignatures, from each witness by itself: one that does not answer holds up none of the others, and no call. What was
 * cosigned before a restart is known from the newest checkpoint.
 */
export function createCosigning(options: CosigningOptions): Cosigning {
  const { witnesses, required, tree, log, nowMs, signal, timeoutMs = 10_000 } = options;
  const verifiers = witnesses.map(({ verifier }) => verifier);
  const known = new Map<Witness, Omit<WitnessState, 'name' | 'url'>>();
  /** What each cosigned last: its own time tells nothing where its clock is behind. */
  const answered = new Map<Witness, Pick<PublishedCheckpoint, 'size' | 'signedAtMs'>>();
  let cosignedSize = 0;
  let waitingSinceMs: number | null = null;
  /** The lines of the newest checkpoint that was submitted: it counts, though the log may have grown before they were all there. */
  let gathered = { size: -1, names: new Set<string>() };

  const stateOf = (witness: Witness) => known.get(witness) ?? { cosignedSize: null, cosignedAtMs: null, error: null };

  function count({ size, note }: { size: number; note: string }, names: readonly string[] = []): void {
    if (gathered.size < size) gathered = { size, names: new Set() };
    if (gathered.size === size) for (const name of names) gathered.names.add(name);
    const cosigned = gathered.size === size ? gathered.names.size : 0;
    if (size > cosignedSize && Math.max(cosigned, countCosignatures(note, verifiers)) >= required) {
      cosignedSize = size;
      waitingSinceMs = null;
    }
    if (tree.newestCheckpoint().size > cosignedSize) waitingSinceMs ??= nowMs();
  }

  async function submit(witness: Witness): Promise<void> {
    const checkpoint = tree.newestCheckpoint();
    const { size, note, signedAtMs } = checkpoint;
    count(checkpoint);
    const last = answered.get(witness);
    if (last?.size === size && last.signedAtMs === signedAtMs) return;
    const before = cosignedAt(note, witness.verifier);
    if (before !== undefined && before >= Math.floor(signedAtMs / 1_000)) return;
    const result = await submitCheckpoint(
      witness,
      { size, note, proofFrom: (older) => tree.consistencyProof(older, size) },
      {
        oldSize: stateOf(witness).cosignedSize ?? 0,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      },
    );
    if (result.kind === 'overtaken') return requireHere(witness, result.size);
    known.set(witness, { cosignedSize: size, cosignedAtMs: nowMs(), error: null });
    await tree.cosign(size, [result.line]);
    answered.set(witness, { size, signedAtMs });
    count(checkpoint, [witness.verifier.name]);
    log.info({ witness: witness.verifier.name, size }, 'a witness cosigned the log');
  }

  /** Another submission may have been faster; but a witness never knows more than there is. */
  function requireHere({ verifier }: Witness, size: number): void {
    const here = tree.newestCheckpoint().size;
    if (size <= here) return;
    throw new AutoPayError(
      'log_rolled_back',
      `The witness ${verifier.name} has cosigned ${size} entries, and the log has ${here}. Were the books restored from an older copy?`,
    );
  }

  if (witnesses.length > 0) count(tree.newestCheckpoint());
  return {
    async submitTo(witness) {
      try {
        await submit(witness);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        known.set(witness, { ...stateOf(witness), error: message });
        throw error;
      }
    },
    state: () => ({
      ...{ required, cosignedSize, waitingSinceMs: required === 0 ? null : waitingSinceMs },
      witnesses: witnesses.map((witness) => ({ name: witness.verifier.name, url: witness.url, ...stateOf(witness) })),
    }),
  };
}
