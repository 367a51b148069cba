import { expect, test } from 'vitest';
import type { Measured } from './measure-subject.ts';
import { medianOf, medianRound } from './median-round.ts';

function someLoad(perSecond: number, main: number | null) {
  const latencies = { p50Us: 1, p99Us: perSecond * 2, firstChunkP50Us: 3, firstChunkP99Us: 4 };
  const cpu = main === null ? null : { main, ledger: 1, signatures: 0, others: 2 };
  return { perSecond, ...latencies, cpu };
}

const someRound = (perSecond: number, main: number | null): Measured => ({
  ...{ load: someLoad(perSecond, main), half: someLoad(perSecond / 2, main), directHalf: someLoad(7, null) },
  ...{ burst: { streams: 5, load: someLoad(perSecond + 1, main) }, answers: 10, receipts: 1 },
});

test('each figure is the median of the rounds, whatever round it comes from; counts are sums', () => {
  const rounds = [someRound(300, 20), someRound(100, 30), someRound(200, 10)] as const;
  expect(medianRound(rounds)).toEqual({
    ...{ load: someLoad(200, 20), half: someLoad(100, 20), directHalf: someLoad(7, null) },
    ...{ burst: { streams: 5, load: someLoad(201, 20) }, answers: 30, receipts: 3 },
  });
});

test('one round is itself; of two the lower counts', () => {
  expect(medianRound([someRound(300, null)])).toEqual(someRound(300, null));
  expect(medianOf([4, 2])).toBe(2);
});
