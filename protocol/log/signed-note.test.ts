import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flipBit } from '../../test/support/flip-bit.ts';
import {
  addSignatures,
  createCosigner,
  createNoteSigner,
  createNoteVerifier,
  formatSignature,
  openNote,
  parseNote,
  signNote,
} from './signed-note.ts';

/** The example of C2SP signed-note, "Verifier keys". */
const published = {
  key: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
  note: `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`,
};

const signer = createNoteSigner({ name: 'relay.example/log', seed: Buffer.alloc(32, 1) });
const cosigner = createCosigner({ name: 'witness.example', seed: Buffer.alloc(32, 2), nowMs: () => 1_700_000_000_999 });
const verifier = createNoteVerifier(signer.verifierKey);
const witness = createNoteVerifier(cosigner.verifierKey);
const text = 'eip155/1/0xaa\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
const note = signNote(text, [signer, cosigner]);

describe('a signed note', () => {
  it('is that of C2SP: its published example opens', () => {
    expect(openNote(published.note, [createNoteVerifier(published.key)])).toEqual({
      text: 'This is an example message.\n',
      signatures: [{ name: 'example.com/foo', keyHash: '530d903a' }],
    });
  });

  it('says who signed it, and when a witness did', () => {
    expect(openNote(note, [verifier, witness])).toEqual({
      text,
      signatures: [
        { name: signer.name, keyHash: signer.keyHash },
        { name: cosigner.name, keyHash: cosigner.keyHash, timestamp: 1_700_000_000 },
      ],
    });
    expect(openNote(note, [witness]).signatures).toHaveLength(1);
  });

  it('does not open with any bit of it flipped', () => {
    const bytes = Buffer.from(note);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = flipBit(bytes, bit >> 3, 1 << (bit & 7));
      const both = () => {
        const { signatures } = openNote(flipped.toString(), [verifier, witness]);
        // A line of another name or key is a stranger's: it is passed over, and is missed.
        if (signatures.length < 2) throw new Error('a signature is missing');
      };
      expect(both, `bit ${bit}`).toThrow();
    }
  });

  it('passes over the lines of strangers, and refuses a bad one of a known key', () => {
    const stranger = { name: signer.name, keyHash: 'ffffffff', signature: Buffer.alloc(64) };
    const namesake = { name: 'other.example', keyHash: signer.keyHash, signature: Buffer.alloc(64) };
    const more = addSignatures(note, [formatSignature(stranger), formatSignature(namesake)]);
    expect(openNote(more, [verifier, witness])).toEqual(openNote(note, [verifier, witness]));
    const bad = addSignatures(signNote(text, [cosigner]), [
      formatSignature({ name: signer.name, keyHash: signer.keyHash, signature: Buffer.alloc(64) }),
    ]);
    expect(() => openNote(bad, [verifier, witness])).toThrow('The signature of relay.example/log is not of this text');
    expect(() => openNote(note, [createNoteVerifier(published.key)])).toThrow(
      'no signature of example.com/foo+530d903a',
    );
    expect(() => openNote(note, [])).toThrow('no signature of a known key');
  });

  it('counts a key once, by its first line', () => {
    const later = createCosigner({ name: cosigner.name, seed: Buffer.alloc(32, 2), nowMs: () => 1_800_000_000_000 });
    const again = addSignatures(note, [
      formatSignature({ name: later.name, keyHash: later.keyHash, signature: later.sign(text) }),
    ]);
    expect(parseNote(again).signatures).toHaveLength(3);
    expect(openNote(again, [witness]).signatures).toEqual([
      { name: cosigner.name, keyHash: cosigner.keyHash, timestamp: 1_700_000_000 },
    ]);
    expect(addSignatures(again, [formatSignature(parseNote(note).signatures[0] ?? expect.fail())])).toBe(again);
  });

  it('takes a signature of neither another type, nor another text', () => {
    const asCosigner = createCosigner({ name: signer.name, seed: Buffer.alloc(32, 1) });
    const crossed = signNote(text, [{ ...signer, sign: (of) => asCosigner.sign(of) }]);
    expect(() => openNote(crossed, [verifier])).toThrow('not of this text');
    const moved = signNote('another\n', [{ ...signer, sign: () => signer.sign(text) }]);
    expect(() => openNote(moved, [verifier])).toThrow('not of this text');
  });

  it('may have any text without control characters, empty lines included', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((part) => !/[\x00-\x1f]/.test(part));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), (lines) => {
        const any = `${lines.join('\n')}\n`;
        fc.pre(any.length > 1);
        expect(openNote(signNote(any, [signer]), [verifier]).text).toBe(any);
      }),
    );
  });

  it.each([
    ['', 'an empty line'],
    ['text\n', 'an empty line'],
    ['text\n\n', '— name base64'],
    [note.slice(0, -1), 'an empty line'],
    [`${note}\n`, '— name base64'],
    [`${note}junk\n`, '— name base64'],
    [note.replace('— ', '- '), '— name base64'],
    [note.replace('relay.example/log', 'relay+log'), '— name base64'],
    [note.replace('relay.example/log', 'relay\u00a0log'), '— name base64'],
    [note.replace('eip155', 'eip\u0000'), 'no control characters'],
    [note.replace('eip155', 'eip\ud800'), 'no control characters'],
    [note.replace('\n\n', '\r\n\n'), 'no control characters'],
    [`\n${note.slice(note.indexOf('\n\n') + 1)}`, 'ends with a newline'],
    [`text\n\n${'— a AAAAAAA=\n'.repeat(101)}`, 'at most 100 signatures'],
    ['x'.repeat(70_000), 'an empty line'],
  ])('is not %j', (malformed, why) => {
    const error = (() => {
      try {
        return parseNote(malformed);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: 'invalid_encoding', message: expect.stringContaining(why) as string });
  });
});
