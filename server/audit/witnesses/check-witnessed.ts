import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { formatAddCheckpoint, hashOrigin } from '../../../protocol/log/add-checkpoint.ts';
import { parseCheckpoint } from '../../../protocol/log/checkpoint.ts';
import { openNote, type NoteVerifier } from '../../../protocol/log/signed-note.ts';
import type { JobLog } from '../../chain/job-log.ts';
import { describeError } from '../../log.ts';
import { askWitness, readConflict, type Witness } from './ask-witness.ts';

/** What witnesses have seen of a log, and what there is of it. */
export interface WitnessedOptions {
  witnesses: readonly Witness[];
  origin: string;
  /** What checks the log's own signatures: a checkpoint without one says nothing of the log. */
  own: readonly NoteVerifier[];
  /** The newest checkpoint that the ledger knows of; undefined before the first. */
  signed: { size: number; note: string } | undefined;
  /** All that the ledger has. */
  tree: { size: number; rootAt: (size: number) => Promise<Uint8Array> };
  log: JobLog;
  /** How long one witness is waited for. */
  timeoutMs?: number;
}

/** What a witness cosigned last. */
interface Seen {
  size: number;
  /** RFC 6962 root; undefined where the witness has told no more than the size, which nothing signs. */
  root?: Uint8Array;
  /** Whether it says that it knows another root at this size. */
  isOther?: boolean;
}

/**
 * Compares the log with what each witness cosigned last, before anything more is signed: an older copy of the data folder that was put
 * back would otherwise begin a second history, from where its books end. A witness that cannot be asked is told of in the log only.
 *
 * @throws AutoPayError `log_rolled_back` if a witness has cosigned more than there is, `log_forked` if it was something else
 */
export async function checkWitnessed(options: WitnessedOptions): Promise<void> {
  const { witnesses, log } = options;
  const check = async (witness: Witness) => {
    const seen = await findSeen(witness, options).catch((error: unknown) => {
      const facts = { witness: witness.verifier.name, error: describeError(error) };
      log.warn(facts, 'a witness did not say what it has cosigned; started without comparing the log with it');
    });
    if (seen) await requireSeen(witness, seen, options);
  };
  await Promise.all(witnesses.map(check));
}

/** Undefined if it has seen nothing of the log, or nothing but what was signed last. */
async function findSeen(
  witness: Witness,
  { origin, own, signed, timeoutMs = 5_000 }: WitnessedOptions,
): Promise<Seen | undefined> {
  const { verifier } = witness;
  const signal = AbortSignal.timeout(timeoutMs);
  const path = `${hashOrigin(origin)}/checkpoint`;
  const { status, text } = await askWitness(witness, { path, signal });
  if (status === 200) {
    openNote(text, [verifier]);
    // Witnesses cosign what the log has signed: what it has not cannot keep the relay from starting.
    const checkpoint = parseCheckpoint(openNote(text, own).text);
    if (checkpoint.origin === origin) return checkpoint;
    throw new AutoPayError('upstream_error', `The witness ${verifier.name} shows another log: ${checkpoint.origin}.`);
  }
  if (status !== 404) throw new AutoPayError('upstream_error', `The witness ${verifier.name} answers ${status}.`);
  if (signed === undefined) return undefined;
  // Its checkpoints may be elsewhere (C2SP's monitoring prefix). Told of one of another size than its last, it names its own.
  const body = formatAddCheckpoint({ oldSize: signed.size, proof: [], note: signed.note });
  const answer = await askWitness(witness, { path: 'add-checkpoint', body, signal });
  if (answer.status === 200) return undefined;
  const size = answer.status === 409 ? readConflict(answer.text) : undefined;
  if (size === undefined) {
    throw new AutoPayError(
      'upstream_error',
      `The witness ${verifier.name} answers a checkpoint with ${answer.status}.`,
    );
  }
  // C2SP: a conflict of equal sizes is one of roots. There is one empty log only.
  return { size, isOther: size === signed.size && size > 0 };
}

async function requireSeen({ verifier, url }: Witness, seen: Seen, { tree }: WitnessedOptions): Promise<void> {
  const facts = { witness: verifier.name, url, witnessed: seen.size, size: tree.size };
  const basis =
    seen.root === undefined
      ? 'It named the size and showed no checkpoint: ask who runs it for the checkpoint.'
      : 'Its checkpoint has the signature of this log’s own key.';
  const remedy =
    `${basis} Stop here, and put the newest data folder in its place: whatever was signed from this one would be evidence against the ` +
    'relay (docs/OPERATIONS.md, "A data folder that was put back").';
  if (seen.size > tree.size) {
    throw new AutoPayError(
      'log_rolled_back',
      `The witness ${verifier.name} has cosigned ${seen.size} log entries, and the ledger has ${tree.size}: an older copy of the data folder was put back. ${remedy}`,
      { facts },
    );
  }
  const isSame = seen.root === undefined || Buffer.compare(seen.root, await tree.rootAt(seen.size)) === 0;
  if (isSame && seen.isOther !== true) return;
  throw new AutoPayError(
    'log_forked',
    `The witness ${verifier.name} has cosigned ${seen.size} log entries that are not the first ${seen.size} of the ledger: another copy of the data folder was sold from. ${remedy}`,
    { facts },
  );
}
