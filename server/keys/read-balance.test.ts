import { expect, test } from 'vitest';
import type { SpendingSum } from '../ledger/background-ledger.ts';
import type { ChannelState } from '../ledger/ledger.ts';
import { createKeyCurrency } from './key-currency.ts';
import { someKeyChannel, testPayer, testTokens } from './key-fixtures.ts';
import { describeBalance, readBalances, type BalanceDeps } from './read-balance.ts';

const [usdc] = testTokens;

function create(channel: ChannelState, amounts: readonly bigint[] = []): BalanceDeps {
  const sums = amounts.map((amount, day): SpendingSum => ({
    ...{ token: usdc.address, payer: testPayer, keyId: null, model: null, day, calls: 1, amount },
  }));
  return {
    ledger: { listKeyChannels: async () => [channel], listSpending: async () => sums },
    ...{ currency: createKeyCurrency(() => null), tokens: testTokens, suggestedHeadroom: '0.2', nowMs: () => 0 },
  };
}

test('headroom is what is signed and not spent; the rest comes back', async () => {
  const channel = someKeyChannel({ charged: 100_000n, reserved: 50_000n });
  expect(await readBalances(create(channel), testPayer)).toMatchObject([
    { headroom: 450_000n, unspent: 850_000n, suggestedCumulative: 350_000n },
  ]);
  const [balance] = await readBalances(create(someKeyChannel({ acceptedCumulative: 0n, charged: 0n })), testPayer);
  expect(balance && describeBalance(balance)).toMatchObject({ headroom: '0', unspent: '1000000', symbol: 'USDC' });
});

test('a day’s worth is what was spent on one, never beyond the deposit', async () => {
  const channel = someKeyChannel({ charged: 100_000n });
  expect(await readBalances(create(channel, [300_000n, 250_000n]), testPayer)).toMatchObject([
    { suggestedCumulative: 400_000n },
  ]);
  expect(await readBalances(create(channel, [5_000_000n]), testPayer)).toMatchObject([
    { suggestedCumulative: 1_000_000n },
  ]);
});

test('without a price only what was spent counts; a token that is not taken any more is left out', async () => {
  const unpriced = { ...create(someKeyChannel(), [9n]), currency: createKeyCurrency(() => undefined) };
  expect(await readBalances(unpriced, testPayer)).toMatchObject([{ suggestedCumulative: 9n }]);
  expect(await readBalances({ ...create(someKeyChannel()), tokens: [] }, testPayer)).toEqual([]);
});
