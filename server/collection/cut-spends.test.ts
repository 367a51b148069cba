import { expect, it } from 'vitest';
import type { SpendSum } from '../ledger/background-ledger.ts';
import { subtractSpends, takeSpends } from './cut-spends.ts';

function spend(model: string, amount: bigint, provider = 'one', day = 7): SpendSum {
  return { day, model, provider, amount };
}

const spends = [spend('a', 10n), spend('a', 20n, 'two'), spend('b', 30n), spend('b', 40n, 'one', 8)];

it('takes whole spends in their order, and of the last what fits', () => {
  expect(takeSpends(spends, 0n)).toEqual([]);
  expect(takeSpends(spends, 10n)).toEqual([spend('a', 10n)]);
  expect(takeSpends(spends, 11n)).toEqual([spend('a', 10n), spend('a', 1n, 'two')]);
  expect(takeSpends(spends, 100n)).toEqual(spends);
  expect(takeSpends(spends, 1_000n)).toEqual(spends);
});

it('leaves the rest, whatever was taken', () => {
  for (let room = 0n; room <= 100n; room += 1n) {
    const left = subtractSpends(spends, takeSpends(spends, room));
    expect(left.reduce((sum, { amount }) => sum + amount, 0n)).toBe(100n - room);
  }
  expect(subtractSpends(spends, takeSpends(spends, 35n))).toEqual([spend('b', 25n), spend('b', 40n, 'one', 8)]);
  expect(subtractSpends(spends, spends)).toEqual([]);
});
