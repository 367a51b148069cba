import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { formatAddCheckpoint } from '../../../protocol/log/add-checkpoint.ts';
import { formatSignature, openNote, parseNote } from '../../../protocol/log/signed-note.ts';
import { askWitness, readConflict, type Witness } from './ask-witness.ts';

/** A checkpoint that is to be cosigned. */
export interface Submission {
  /** Number of entries. */
  size: number;
  /** The signed note. */
  note: string;
  /** RFC 6962 consistency proof from a smaller size, above 0. */
  proofFrom: (oldSize: number) => Promise<Uint8Array[]>;
}

/** What came of a submission. */
export type Submitted =
  /** The witness cosigned; the signature line was checked. */
  | { kind: 'cosigned'; line: string }
  /** It had cosigned a larger log before: not this one, any more. */
  | { kind: 'overtaken'; size: number };

/** A witness whose size changes more often while it is told of one checkpoint is not serious. */
const maxConflicts = 3;

/**
 * Asks a witness for its cosignature (C2SP tlog-witness, `add-checkpoint`). A witness that is further behind or ahead than we thought
 * says so, and is asked again from there.
 *
 * @param options.oldSize what it cosigned last, as we believe; 0 if we do not know
 * @throws AutoPayError `upstream_unreachable`, `upstream_error`, `invalid_signature`
 */
export async function submitCheckpoint(
  witness: Witness,
  { size, note, proofFrom }: Submission,
  options: { oldSize: number; signal: AbortSignal },
): Promise<Submitted> {
  let { oldSize } = options;
  for (let conflicts = 0; conflicts < maxConflicts; conflicts += 1) {
    const proof = oldSize === 0 || oldSize === size ? [] : await proofFrom(oldSize);
    const body = formatAddCheckpoint({ oldSize, proof, note });
    const { status, text } = await askWitness(witness, { path: 'add-checkpoint', body, signal: options.signal });
    if (status === 200) return { kind: 'cosigned', line: findLine(witness, note, text) };
    if (status !== 409) throw refused(witness, `it answers ${status}: ${text.slice(0, 200).trim()}`);
    const named = readConflict(text);
    if (named === undefined) throw refused(witness, 'it answers 409 without a size');
    // C2SP: a conflict of equal sizes is one of roots.
    if (named === oldSize && named === size) throw refused(witness, `it has cosigned another root of ${size} entries`);
    oldSize = named;
    if (oldSize > size) return { kind: 'overtaken', size: oldSize };
  }
  throw refused(witness, `it names another size each time, at last ${oldSize}`);
}

/** The witness's own line of its answer; lines of others are not looked at. */
function findLine({ verifier }: Witness, note: string, lines: string): string {
  const { text } = parseNote(note);
  const answered = `${text}\n${lines}`;
  openNote(answered, [verifier]);
  const own = parseNote(answered).signatures.find(
    ({ name, keyHash }) => name === verifier.name && keyHash === verifier.keyHash,
  );
  if (own !== undefined) return formatSignature(own);
  throw new AutoPayError('invalid_signature', `The answer of ${verifier.name} has no signature of its key.`);
}

function refused({ verifier }: Witness, why: string): AutoPayError {
  return new AutoPayError('upstream_error', `The witness ${verifier.name} did not cosign: ${why}.`);
}
