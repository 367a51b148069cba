import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNoteVerifier, formatVerifierKey, keyHashOf, parseVerifierKey } from './note-keys.ts';

const published = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';

describe('a verifier key', () => {
  it('is that of C2SP signed-note', () => {
    const key = parseVerifierKey(published);
    expect(key).toMatchObject({ name: 'example.com/foo', keyHash: '530d903a', type: 1 });
    expect(formatVerifierKey(key)).toBe(published);
  });

  it('has an id of its own for each name, type and key, and comes back as it was', () => {
    const name = fc.stringMatching(/^[a-z0-9./-]{1,30}$/);
    const key = fc.record({ name, type: fc.integer({ min: 0, max: 255 }), publicKey: fc.uint8Array({ minLength: 1 }) });
    fc.assert(
      fc.property(key, (given) => {
        const read = parseVerifierKey(formatVerifierKey(given));
        expect(read).toEqual({ ...given, keyHash: keyHashOf(given), publicKey: Buffer.from(given.publicKey) });
        expect(keyHashOf({ ...given, type: given.type ^ 1 })).not.toBe(read.keyHash);
        expect(keyHashOf({ ...given, name: `${given.name}.` })).not.toBe(read.keyHash);
      }),
    );
  });

  it.each([
    '',
    'example.com/foo',
    published.replace('530d903a', '530d903b'),
    published.replace('530d903a', '530D903A'),
    published.replace('example.com', 'example.org'),
    published.slice(0, -1),
    `${published}=`,
    `${published} `,
    'a+b+c+d',
    `example.com/foo+530d903a+`,
  ])('is not %j', (text) => {
    expect(() => parseVerifierKey(text)).toThrow('Copy it whole');
  });

  it('is of Ed25519 where notes are checked with it', () => {
    const key = { name: 'x', type: 6, publicKey: Buffer.alloc(32) };
    expect(() => createNoteVerifier(formatVerifierKey(key))).toThrow('it has to be Ed25519, 1 or 4');
    const short = { name: 'x', type: 1, publicKey: Buffer.alloc(31) };
    expect(() => createNoteVerifier(formatVerifierKey(short))).toThrow('it has to be Ed25519, 1 or 4');
  });

  it('has a name without spaces and plus', () => {
    for (const name of ['', 'a b', 'a+b', 'a\u2003b', 'a\n', 'x'.repeat(257)]) {
      expect(() => keyHashOf({ name, type: 1, publicKey: Buffer.alloc(32) })).toThrow('no spaces and no plus');
    }
  });
});
