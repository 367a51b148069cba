import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntryBundle, encodeEntryBundle, maxEntryBytes } from './entry-bundle.ts';

describe('an entry bundle', () => {
  it('has each entry behind its length, two bytes, the higher first (C2SP tlog-tiles)', () => {
    const bundle = encodeEntryBundle([Buffer.from('ab'), Buffer.alloc(0), Buffer.alloc(258, 7)]);
    expect(bundle.toString('hex')).toBe(`0002${Buffer.from('ab').toString('hex')}0000${'0102'}${'07'.repeat(258)}`);
  });

  it('comes back as it was', () => {
    const entries = fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 256 });
    fc.assert(
      fc.property(entries, (given) => {
        const read = decodeEntryBundle(encodeEntryBundle(given));
        expect(read.map((entry) => Uint8Array.from(entry))).toEqual(given);
      }),
      { numRuns: 50 },
    );
  });

  it('takes entries up to the longest, and no longer ones', () => {
    const longest = Buffer.alloc(maxEntryBytes, 1);
    expect(decodeEntryBundle(encodeEntryBundle([longest]))).toEqual([longest]);
    expect(() => encodeEntryBundle([Buffer.alloc(maxEntryBytes + 1)])).toThrow('at most 65535 bytes, not 65536');
  });

  it('is neither cut, nor empty, nor too many', () => {
    const bundle = encodeEntryBundle([Buffer.from('abc'), Buffer.from('defg')]);
    const cuts = Array.from({ length: bundle.length }, (_, length) => bundle.subarray(0, length));
    // Where the first entry ends, the rest is missed by whoever knows how many there are.
    const refused = cuts.filter((_, length) => length !== 5);
    for (const cut of refused) expect(() => decodeEntryBundle(cut), String(cut.length)).toThrow('not an entry bundle');
    const full = Array.from({ length: 256 }, () => Buffer.of(1));
    expect(decodeEntryBundle(encodeEntryBundle(full))).toHaveLength(256);
    expect(() => decodeEntryBundle(encodeEntryBundle([...full, Buffer.of(1)]))).toThrow('not an entry bundle');
  });
});
