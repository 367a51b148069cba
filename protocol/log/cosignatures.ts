import { addSignatures, formatSignature, openNote, parseNote, type NoteVerifier } from './signed-note.ts';

/**
 * The note with cosignatures; a newer line of a witness takes the place of its older one.
 * @param lines each as `formatSignature` writes it
 * @throws AutoPayError `invalid_encoding` if the note or a line is malformed
 */
export function withCosignatures(note: string, lines: readonly string[]): string {
  const { text, signatures } = parseNote(note);
  const fresh = parseNote(`${text}\n${lines.join('')}`).signatures;
  const kept = signatures.filter(
    (old) => !fresh.some((line) => line.name === old.name && line.keyHash === old.keyHash),
  );
  return addSignatures(`${text}\n${kept.map(formatSignature).join('')}`, lines);
}

/** When a witness cosigned a note, unix seconds; undefined if it has no good line of it. */
export function cosignedAt(note: string, witness: NoteVerifier): number | undefined {
  try {
    return openNote(note, [witness]).signatures[0]?.timestamp;
  } catch {
    return undefined;
  }
}

/** How many of these witnesses have cosigned a note. */
export function countCosignatures(note: string, witnesses: readonly NoteVerifier[]): number {
  return witnesses.filter((witness) => cosignedAt(note, witness) !== undefined).length;
}
