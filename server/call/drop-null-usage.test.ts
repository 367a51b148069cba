import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dropNullUsage } from './drop-null-usage.ts';
import { scanTopLevel } from './scan-top-level.ts';
import { spliceTopLevel } from './splice-top-level.ts';

const byScan = (text: string) => {
  const data = Buffer.from(text);
  return spliceTopLevel(data, scanTopLevel(data), new Map([['usage', null]])).toString('utf8');
};

test('takes it out at the beginning, within and at the end', () => {
  expect(dropNullUsage('{"usage":null,"choices":[]}')).toBe('{"choices":[]}');
  expect(dropNullUsage('{"a":1,"usage":null,"choices":[]}')).toBe('{"a":1,"choices":[]}');
  expect(dropNullUsage('{"choices":[],"usage":null}')).toBe('{"choices":[]}');
});

test.each([
  '{"usage": null}',
  '{ "usage":null}',
  '{"usage":null}',
  '{"choices":[{"usage":null}],"usage":null}',
  String.raw`{"choices":[{"usage":null}],"\u0075sage":null}`,
])('does not guess: %s', (text) => expect(dropNullUsage(text)).toBeNull());

test('what it gives is what scanning gives', () => {
  const others = fc.dictionary(
    fc.string().filter((name) => name !== 'usage'),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(others, others, (before, after) => {
      const text = JSON.stringify({ ...before, usage: null, ...after });
      const dropped = dropNullUsage(text);
      if (dropped !== null) expect(dropped).toBe(byScan(text));
    }),
  );
});
