import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeResponse } from '../call-fixtures.ts';
import { tapExchange } from './exchange-tap.ts';

test('bytes pass as they came; all are digested, and so many are kept as were asked for', async () => {
  for (const [keepBytes, kept] of [
    [6, 'abcdef'],
    [5, null],
  ] as const) {
    const tap = tapExchange(makeResponse(['abc', 'def']), keepBytes);
    const pieces: string[] = [];
    for await (const piece of tap.response.body) pieces.push(Buffer.from(piece).toString());
    expect(pieces).toEqual(['abc', 'def']);
    expect(tap.digest()).toBe(`0x${createHash('sha256').update('abcdef').digest('hex')}`);
    expect(tap.take()?.toString() ?? null).toBe(kept);
  }
});
