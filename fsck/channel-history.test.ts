import { describe, expect, it } from 'vitest';
import { zeroAddress, zeroBytes32 } from '../protocol/bytes/hex.ts';
import { ChannelHistory, formatRanges, judgeCollected, type CollectedFacts } from './channel-history.ts';

const open = (settled?: bigint) => new ChannelHistory({ channelId: zeroBytes32, token: zeroAddress, settled });
const step = (sequence: number, runningTotal = BigInt(sequence) * 10n, amount = 10n) => ({
  sequence,
  runningTotal,
  amount,
});

/** Adds receipts as a walk finds them, newest first, and gives what did not fit. */
function walk(history: ChannelHistory, sequences: readonly number[]): string[] {
  return sequences.flatMap((sequence) => history.add(step(sequence)) ?? []);
}

describe('a channel in the log', () => {
  it('is without gaps from its newest receipt to its first', () => {
    const history = open(30n);
    expect(walk(history, [5, 4, 3, 2, 1])).toEqual([]);
    history.finish();
    expect(history).toMatchObject({ count: 5, missing: [], collectedAt: 3, newest: step(5), oldest: step(1) });
  });

  it('misses what was left out, in the middle and at the beginning', () => {
    const history = open();
    expect(walk(history, [9, 6, 5, 3])).toEqual([]);
    expect(history.missing).toEqual([
      { first: 7, last: 8 },
      { first: 4, last: 4 },
    ]);
    history.finish();
    expect(formatRanges(history.missing)).toBe('7 to 8, 4, 1 to 2');
  });

  it('tells entries that are out of order from those that are missing, and from those that are there twice', () => {
    const history = open();
    expect(walk(history, [7, 4, 5, 3])).toEqual([
      expect.stringContaining('sequence number 5 stands before lower ones'),
    ]);
    expect(history.missing).toEqual([{ first: 6, last: 6 }]);
    expect(walk(history, [4])).toEqual([expect.stringContaining('4 is used twice')]);
    expect(walk(history, [8])).toEqual([expect.stringContaining('8 is above that of a later entry')]);
  });

  it('notices totals that do not join', () => {
    const history = open();
    history.add(step(4, 40n));
    expect(history.add(step(3, 31n))).toContain('31 does not lead to receipt 4, which begins at 30');
    expect(history.add(step(1, 22n))).toContain('does not lead');
    expect(open().add(step(1, 11n))).toContain('begins at 1');
    expect(open().add(step(2, 5n))).toContain('above its running total');
    expect(open().add(step(0))).toContain('no sequence number');
  });

  it('keeps a few problems in words, and counts all', () => {
    const history = open();
    for (let index = 0; index < 100; index += 1) history.note('wrong');
    expect([history.problems.length, history.problemCount]).toEqual([20, 100]);
  });
});

describe('what was collected', () => {
  const facts = { settled: 50n, known: step(5), isRunningTotal: false, isWhole: true };
  it.each([
    [{ settled: 0n }, true, 'nothing was collected yet of the 50'],
    [{ isRunningTotal: true }, true, 'the running total of a receipt'],
    [{ settled: 51n, due: 51n }, false, '1 was collected beyond them'],
    // A receipt that the wallet lost, or that an API key never kept, comes into the log in time.
    [{ settled: 51n, due: 50n }, null, 'verify again after the next anchor'],
    [{ settled: 60n, due: 52n }, false, '2 was collected beyond them'],
    [{ settled: 45n }, false, 'the running total of no receipt'],
    [{ settled: 5n, isWhole: false }, null, 'older receipt'],
    [{ settled: 1n, due: 1n, known: undefined }, false, 'add up to 0'],
  ])('is judged: %#', async ({ due = 0n, ...change }: { due?: bigint } & Partial<CollectedFacts>, ok, detail) => {
    const readDue = () => Promise.resolve(due);
    expect(await judgeCollected({ ...facts, readDue, ...change })).toEqual({
      ok,
      detail: expect.stringContaining(detail),
    });
  });
});
