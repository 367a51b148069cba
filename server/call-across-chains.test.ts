import { expect, it } from 'vitest';
import type { ModelBudgets } from './call/types.ts';
import { budgetsFromHome } from './call-across-chains.ts';

const address = (digit: string) => `0x${digit.repeat(40)}` as const;
const homeTokens = [
  { symbol: 'USDC', address: address('1'), decimals: 6 },
  { symbol: 'DAI', address: address('2'), decimals: 18 },
];
/** 100 AGPT for a whole USDC, and 3 AGPT wei for an atomic unit of DAI. */
const rates = new Map([
  [address('1'), 10n ** 32n],
  [address('2'), 3n * 10n ** 18n],
]);
const budgets: ModelBudgets = {
  terms: ({ token }) => ({ day: 7, limitAgpt: 9n, rate: rates.get(token) ?? 0n }),
};

it.each([
  ['the same decimals', { symbol: 'USDC', address: address('3'), decimals: 6 }, 10n ** 32n],
  ['more decimals', { symbol: 'USDC', address: address('1'), decimals: 18 }, 10n ** 20n],
  ['so many more that it must be rounded up', { symbol: 'USDC', address: address('3'), decimals: 39 }, 1n],
  ['fewer decimals', { symbol: 'DAI', address: address('3'), decimals: 6 }, 3n * 10n ** 30n],
  ['no decimals', { symbol: 'USDC', address: address('3'), decimals: 0 }, 10n ** 38n],
])('a token of another chain with %s counts as the home token of its symbol', (_, token, rate) => {
  const terms = budgetsFromHome({ budgets, homeTokens, tokens: [token] }).terms({
    ...{ model: 'm', token: token.address, atMs: 0 },
  });
  expect(terms).toEqual({ day: 7, limitAgpt: 9n, rate });
});

it.each([
  ['that is none of the home chain', { symbol: 'OP', decimals: 18 }, 'none of the home chain'],
  ['whose unit counts more than budgets hold', { symbol: 'DAI', decimals: -3 }, 'more than budgets can hold'],
])('a token %s is not sold for', (_, token, message) => {
  const tokens = [{ ...token, address: address('3') }];
  const ask = { model: 'm', token: address('3'), atMs: 0 };
  expect(() => budgetsFromHome({ budgets, homeTokens, tokens }).terms(ask)).toThrow(message);
});
