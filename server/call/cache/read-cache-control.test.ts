import { expect, test } from 'vitest';
import { readCacheControl } from './read-cache-control.ts';

test.each([
  [undefined, true, true, Infinity],
  ['', true, true, Infinity],
  ['no-cache', false, true, Infinity],
  ['No-Store', false, false, Infinity],
  ['max-age=60, no-transform', true, true, 60_000],
  ['max-age="5"', true, true, 5_000],
  ['max-age=-1', true, true, Infinity],
  ['private, no-cache , max-age=0', false, true, 0],
])('%s', (header, mayRead, mayStore, maxAgeMs) => {
  expect(readCacheControl(header)).toEqual({ mayRead, mayStore, maxAgeMs });
});
