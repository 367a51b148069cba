import { expect, test } from 'vitest';
import { cosignedAt, countCosignatures, withCosignatures } from './cosignatures.ts';
import { createCosigner, createNoteSigner, createNoteVerifier, openNote, signNote } from './signed-note.ts';

const text = `example.com/log\n3\n${Buffer.alloc(32, 7).toString('base64')}\n`;
const log = createNoteSigner({ name: 'example.com/log', seed: Buffer.alloc(32, 1) });
const witness = (at: number, nowMs = 1_700_000_000_000) =>
  createCosigner({ name: `witness.example/w${at}`, seed: Buffer.alloc(32, 10 + at), nowMs: () => nowMs });
const note = signNote(text, [log]);
const lineOf = (signer: ReturnType<typeof witness>, of = text) => signNote(of, [signer]).slice(of.length + 1);
const verifiers = [1, 2, 3].map((at) => createNoteVerifier(witness(at).verifierKey));

test('cosignatures are added, and the newer of a witness takes the place of its older', () => {
  const once = withCosignatures(note, [lineOf(witness(1)), lineOf(witness(2))]);
  expect(countCosignatures(once, verifiers)).toBe(2);
  const again = withCosignatures(once, [lineOf(witness(1, 1_700_000_060_000))]);
  expect(again.split('\n')).toHaveLength(once.split('\n').length);
  const [first] = verifiers;
  expect(first && cosignedAt(again, first)).toBe(1_700_000_060);
  expect(openNote(again, [createNoteVerifier(log.verifierKey)]).text).toBe(text);
});

test('a line that is not good counts for nothing', () => {
  const [first] = verifiers;
  if (first === undefined) throw new RangeError('there is no witness');
  expect(cosignedAt(note, first)).toBeUndefined();
  const other = text.replace('\n3\n', '\n4\n');
  expect(cosignedAt(withCosignatures(note, [lineOf(witness(1), other)]), first)).toBeUndefined();
  expect(countCosignatures('no note', verifiers)).toBe(0);
  expect(() => withCosignatures(note, ['no line\n'])).toThrowError(
    expect.objectContaining({ code: 'invalid_encoding' }),
  );
});
