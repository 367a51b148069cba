import { expect, test } from 'vitest';
import type { SaleTerms } from './metering/price-list.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import { createPayerScope } from './create-payer-scope.ts';

const [usdc, weth] = ['0xc1', '0xe1'] as const;
const dayMs = 86_400_000;
const dayStart = 20_000 * 86_400;
const tokens = [
  { address: usdc, payerBudget: 2_500_000n },
  { address: weth, payerBudget: 250_000_001n },
];
const sale: SaleTerms = { token: usdc, prices: plainPrices(1n), conversion: null, oracleRound: 0n };
const payer = '0xAbC';

test('is one sum for each wallet and day, from midnight UTC on', () => {
  const scopeOf = createPayerScope({ payment: { payerBudget: { amount: '2.5', period: '1d' } }, tokens });
  const today = { id: 'payer:0xabc', window: dayStart, limit: 2_500_000n, endsAtSeconds: dayStart + 86_400 };
  expect(scopeOf?.({ payer, sale, atMs: 20_000 * dayMs })).toEqual(today);
  expect(scopeOf?.({ payer: '0xabc', sale, atMs: 20_001 * dayMs - 1 })).toEqual(today);
  expect(scopeOf?.({ payer, sale, atMs: 20_001 * dayMs })?.window).toBe(dayStart + 86_400);
});

test('begins its weeks on Monday, and its months with the first', () => {
  const windowOf = (period: string, at: string) => {
    const scopeOf = createPayerScope({ payment: { payerBudget: { amount: '2.5', period } }, tokens });
    const { window = 0, endsAtSeconds } = scopeOf?.({ payer, sale, atMs: Date.parse(at) }) ?? {};
    return [window, endsAtSeconds ?? 0].map((seconds) => new Date(seconds * 1_000).toISOString().slice(0, 10));
  };
  const sunday = '2026-11-22T23:59:59Z';
  for (const week of ['7d', '1w']) expect(windowOf(week, sunday)).toEqual(['2026-11-16', '2026-11-23']);
  expect(windowOf('1w', '2026-11-23T00:00:00Z')).toEqual(['2026-11-23', '2026-11-30']);
  expect(windowOf('1mo', sunday)).toEqual(['2026-11-01', '2026-12-01']);
});

test('is converted at the price that the call is sold at, and nothing in a token that has none', () => {
  const scopeOf = createPayerScope({ payment: { payerBudget: { amount: '2.5', period: '1mo' } }, tokens });
  const conversion = { answer: 2_500n * 10n ** 8n, answerDecimals: 8, tokenDecimals: 18 };
  // 2.50000001 dollars at 2,500 dollars per token.
  expect(scopeOf?.({ payer, sale: { ...sale, token: weth, conversion }, atMs: 0 })?.limit).toBe(1_000_000_004_000_000n);
  expect(scopeOf?.({ payer, sale: { ...sale, token: '0xf1' }, atMs: 0 })?.limit).toBe(0n);
});

test('is none where the configuration sets none', () => {
  expect(createPayerScope({ payment: {}, tokens })).toBeUndefined();
});
