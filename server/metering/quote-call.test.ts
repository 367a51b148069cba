import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import type { Tariff } from '../../protocol/pricing/token-prices.ts';
import { quoteCall, shrinkQuote, type QuoteInput } from './quote-call.ts';

const prices = { ...plainPrices(1_000_000n, 2_000_000n), cachedPrompt: 500_000n, request: 3n };

const tariff: Tariff = { prices, conversion: null };
/** The same prices in hundred-millionths of a US dollar, for a token of 18 decimals at 1.23 dollars. */
const inUsd: Tariff = { prices, conversion: { answer: 123_000_000n, answerDecimals: 8, tokenDecimals: 18 } };

const input: QuoteInput = {
  bodyBytes: 100,
  countedTokens: null,
  textOnly: true,
  choices: 1,
  requestedOutputTokens: null,
  contextTokens: 10_000,
  maxOutputTokens: 2_000,
  defaultMaxOutputTokens: 1_000,
};

test('bounds the prompt by its bytes, or by the context', () => {
  expect(quoteCall(input, tariff)).toEqual({
    promptTokens: 164,
    outputTokens: 1000,
    choices: 1,
    amount: 2167n,
    shrunk: false,
  });
  expect(quoteCall({ ...input, textOnly: false }, tariff).promptTokens).toBe(10_000);
  expect(quoteCall({ ...input, bodyBytes: 1_000_000 }, tariff).promptTokens).toBe(10_000);
});

test('bounds the output by the client’s limit, else the default, never above the maximum', () => {
  expect(quoteCall({ ...input, requestedOutputTokens: 7 }, tariff).outputTokens).toBe(7);
  expect(quoteCall({ ...input, requestedOutputTokens: 5_000 }, tariff).outputTokens).toBe(2_000);
  expect(quoteCall({ ...input, choices: 3 }, tariff).amount).toBe(164n + 6000n + 3n);
});

test('is nothing on a free route', () => {
  expect(quoteCall(input, null)).toMatchObject({ amount: 0n, shrunk: false });
});

test('is converted once, rounded up, where prices are in US dollars', () => {
  // 2,167 × 10^-8 dollars at 1.23 dollars per token of 10^18.
  expect(quoteCall(input, inUsd).amount).toBe((2167n * 10n ** 18n) / 123_000_000n + 1n);
});

test('shrinks to the most that the headroom buys, not below 256, and not below the client’s own limit', () => {
  const quote = quoteCall(input, tariff);
  expect(shrinkQuote(quote, { input, tariff, headroom: 2167n })).toBe(quote);
  expect(shrinkQuote(quote, { input, tariff, headroom: 2166n })).toMatchObject({
    outputTokens: 999,
    amount: 2165n,
    shrunk: true,
  });
  expect(shrinkQuote(quote, { input, tariff, headroom: 167n + 512n })).toMatchObject({
    outputTokens: 256,
    shrunk: true,
  });
  expect(shrinkQuote(quote, { input, tariff, headroom: 167n + 511n })).toBe(quote);
  expect(shrinkQuote(quote, { input, tariff, headroom: -5n })).toBe(quote);
  const limited = { ...input, requestedOutputTokens: 900 };
  expect(shrinkQuote(quoteCall(limited, tariff), { input: limited, tariff, headroom: 1000n }).shrunk).toBe(false);
});

test('a shrunk quote fits the headroom, and one token more would not', () => {
  let shrunkQuotes = 0;
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10_000n }),
      fc.integer({ min: 1, max: 4 }),
      fc.bigInt({ min: 1n, max: 5_000_000n }),
      fc.option(fc.bigInt({ min: 1n, max: 10n ** 9n })),
      (affordable, choices, completion, answer) => {
        const varied = { ...input, choices };
        const conversion = answer === null ? null : { answer, answerDecimals: 8, tokenDecimals: 7 };
        const sold: Tariff = { prices: { ...prices, completion, audioCompletion: 0n }, conversion };
        const headroom = answer === null ? affordable : (affordable * 10n ** 7n) / answer;
        const shrunk = shrinkQuote(quoteCall(varied, sold), { input: varied, tariff: sold, headroom });
        if (!shrunk.shrunk) return;
        shrunkQuotes += 1;
        expect(shrunk.amount <= headroom).toBe(true);
        const oneMore = quoteCall({ ...varied, requestedOutputTokens: shrunk.outputTokens + 1 }, sold);
        expect(oneMore.amount > headroom).toBe(true);
      },
    ),
  );
  expect(shrunkQuotes).toBeGreaterThan(0);
});
