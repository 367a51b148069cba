import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRange } from './parse-range.ts';

describe('a Range header', () => {
  it.each([
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=0-', { first: 0, last: 9 }],
    ['bytes=9-', { first: 9, last: 9 }],
    ['bytes=2-5', { first: 2, last: 5 }],
    ['bytes=2-500', { first: 2, last: 9 }],
    ['Bytes= 2-5 ', { first: 2, last: 5 }],
    ['bytes=-1', { first: 9, last: 9 }],
    ['bytes=-500', { first: 0, last: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-20', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
  ])('%s of ten bytes', (header, range) => {
    expect(parseRange(header, 10)).toEqual(range);
  });

  it.each([undefined, '', 'bytes=', 'bytes=-', 'bytes=5-2', 'bytes=0-1,4-5', 'bytes=a-b', 'items=0-1', 'bytes=+1-2'])(
    '%s is ignored',
    (header) => {
      expect(parseRange(header, 10)).toBeUndefined();
    },
  );

  it('of nothing is the whole, or cannot be satisfied', () => {
    expect(parseRange('bytes=-5', 0)).toBeUndefined();
    expect(parseRange('bytes=0-0', 0)).toBe('unsatisfiable');
  });

  it('gives what slicing an array gives', () => {
    const position = fc.integer({ min: 0, max: 64 });
    fc.assert(
      fc.property(position, fc.option(position), fc.integer({ min: 1, max: 48 }), (from, to, size) => {
        const bytes = Array.from({ length: size }, (_, index) => index);
        const range = parseRange(`bytes=${from}-${to ?? ''}`, size);
        if (to !== null && to < from) return void expect(range).toBeUndefined();
        const wanted = bytes.slice(from, to === null ? undefined : to + 1);
        if (wanted.length === 0) return void expect(range).toBe('unsatisfiable');
        expect(range).toEqual({ first: wanted.at(0), last: wanted.at(-1) });
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 48 }), (length, size) => {
        const wanted = Array.from({ length: size }, (_, index) => index).slice(-length);
        expect(parseRange(`bytes=-${length}`, size)).toEqual({ first: wanted.at(0), last: wanted.at(-1) });
      }),
    );
  });
});
