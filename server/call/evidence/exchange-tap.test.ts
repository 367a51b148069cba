import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeResponse } from '../call-fixtures.ts';
import type { KeptPart } from './evidence-collector.ts';
import { tapExchange } from './exchange-tap.ts';

const seen: string[] = [];
const isEnough = (kept: Buffer) => {
  seen.push(kept.toString());
  return kept.includes('c');
};

test.each<[string, KeptPart | null, string]>([
  ['all of it', null, 'abcdefg'],
  ['the beginning, up to a length', { part: 'beginning', bytes: 3 }, 'abcd'],
  ['the beginning, until it is enough', { part: 'beginning', bytes: 100, isEnough }, 'abcd'],
  ['the end', { part: 'end', bytes: 3 }, 'efg'],
  ['the end, with the piece that it begins in', { part: 'end', bytes: 4 }, 'cdefg'],
])('bytes pass as they came, and all are digested; kept is %s', async (_, keep, kept) => {
  const tap = tapExchange(makeResponse(['ab', 'cd', 'ef', 'g']), keep);
  const pieces: string[] = [];
  for await (const piece of tap.response.body) pieces.push(Buffer.from(piece).toString());
  expect(pieces).toEqual(['ab', 'cd', 'ef', 'g']);
  expect(tap.digest()).toBe(`0x${createHash('sha256').update('abcdefg').digest('hex')}`);
  expect(tap.take().toString()).toBe(kept);
});

test('a beginning that is not enough yet is looked at again when twice as much is there', async () => {
  seen.length = 0;
  const tap = tapExchange(makeResponse([...'xxxxxxxxx']), { part: 'beginning', bytes: 100, isEnough });
  for await (const piece of tap.response.body) expect(piece).toHaveLength(1);
  expect(seen.map(({ length }) => length)).toEqual([1, 2, 4, 8]);
});
