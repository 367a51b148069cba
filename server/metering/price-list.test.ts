import { expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { createPriceList, type PricedToken } from './price-list.ts';

const usdc: Hex = `0x${'c1'.repeat(20)}`;
const weth: Hex = `0x${'e1'.repeat(20)}`;
const prices = plainPrices(1n, 2n);
const rows: PriceRow[] = [
  { model: 'a', token: usdc, inUsd: false, ...prices, request: 7n },
  { model: 'a', token: weth, inUsd: true, ...prices },
];
const tokens: PricedToken[] = [
  { symbol: 'USDC', address: usdc, decimals: 6, oracle: false, suggestedDeposit: 5_000_000n },
  { symbol: 'WETH', address: weth, decimals: 18, oracle: true, suggestedDeposit: 5n * 10n ** 8n },
];
const round = { answer: 2_500n * 10n ** 8n, decimals: 8, roundId: 9n, updatedAt: 100 };

function list(options: { unpricedBefore?: number; until?: number } = {}) {
  const { unpricedBefore = 0, until = Infinity } = options;
  return createPriceList({
    tokens,
    rows,
    sources: {
      oraclePrice: (token, atMs) => (token === weth && atMs >= unpricedBefore ? round : undefined),
      isInForce: (atMs) => atMs < until,
    },
  });
}

test('sells in each token by its own row, converted at the oracle’s round', () => {
  expect(list().root).toBe(rootOfPrices(rows));
  expect(list().termsFor(rows, { token: usdc, atMs: 1 })).toEqual({
    token: usdc,
    prices: rows[0],
    conversion: null,
    oracleRound: 0n,
  });
  expect(list().termsFor(rows, { token: weth, atMs: 1 })).toMatchObject({
    prices: rows[1],
    conversion: { answer: round.answer, answerDecimals: 8, tokenDecimals: 18 },
    oracleRound: 9n,
  });
});

test('refuses what has no price at the time, and what is no token of the relay', () => {
  const prices = list({ unpricedBefore: 5, until: 10 });
  expect(() => prices.termsFor(rows, { token: weth, atMs: 4 })).toThrow(
    expect.objectContaining({ code: 'price_unavailable', facts: { token: weth, symbol: 'WETH' } }),
  );
  expect(prices.termsFor(rows, { token: weth, atMs: 5 }).oracleRound).toBe(9n);
  expect(() => prices.termsFor(rows, { token: `0x${'00'.repeat(20)}`, atMs: 5 })).toThrow(
    expect.objectContaining({ code: 'channel_wrong_token' }),
  );
  expect(() => prices.termsFor(rows, { token: usdc, atMs: 10 })).toThrow(
    expect.objectContaining({ code: 'price_table_unpublished', facts: { priceRoot: prices.root } }),
  );
});

test('suggests a deposit in the token, or none while it has no price', () => {
  const [first, second] = tokens;
  if (!first || !second) throw new Error('two tokens were expected');
  expect(list().depositIn(first, 1)).toBe(5_000_000n);
  // 5 dollars at 2,500 dollars per token.
  expect(list().depositIn(second, 1)).toBe(2n * 10n ** 15n);
  expect(list({ unpricedBefore: 5 }).depositIn(second, 4)).toBeUndefined();
});
