import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quoteCall, shrinkQuote, type QuoteInput } from './quote-call.ts';

const prices = {
  prompt: 1_000_000n,
  cachedPrompt: 500_000n,
  cacheWrite: 1_000_000n,
  audioPrompt: 1_000_000n,
  completion: 2_000_000n,
  audioCompletion: 2_000_000n,
  request: 3n,
};

const input: QuoteInput = {
  bodyBytes: 100,
  textOnly: true,
  choices: 1,
  requestedOutputTokens: null,
  prices,
  contextTokens: 10_000,
  maxOutputTokens: 2_000,
  defaultMaxOutputTokens: 1_000,
};

test('bounds the prompt by its bytes, or by the context', () => {
  expect(quoteCall(input)).toEqual({ promptTokens: 164, outputTokens: 1000, choices: 1, amount: 2167n, shrunk: false });
  expect(quoteCall({ ...input, textOnly: false }).promptTokens).toBe(10_000);
  expect(quoteCall({ ...input, bodyBytes: 1_000_000 }).promptTokens).toBe(10_000);
});

test('bounds the output by the client’s limit, else the default, never above the maximum', () => {
  expect(quoteCall({ ...input, requestedOutputTokens: 7 }).outputTokens).toBe(7);
  expect(quoteCall({ ...input, requestedOutputTokens: 5_000 }).outputTokens).toBe(2_000);
  expect(quoteCall({ ...input, choices: 3 }).amount).toBe(164n + 6000n + 3n);
});

test('is nothing on a free route, and does not shrink', () => {
  const free = { ...input, prices: null };
  expect(quoteCall(free).amount).toBe(0n);
  expect(shrinkQuote(quoteCall(free), free, 0n).shrunk).toBe(false);
});

test('shrinks to the most that the headroom buys, not below 256, and not below the client’s own limit', () => {
  const quote = quoteCall(input);
  expect(shrinkQuote(quote, input, 2167n)).toBe(quote);
  expect(shrinkQuote(quote, input, 2166n)).toMatchObject({ outputTokens: 999, amount: 2165n, shrunk: true });
  expect(shrinkQuote(quote, input, 167n + 512n)).toMatchObject({ outputTokens: 256, shrunk: true });
  expect(shrinkQuote(quote, input, 167n + 511n)).toBe(quote);
  expect(shrinkQuote(quote, input, -5n)).toBe(quote);
  const limited = { ...input, requestedOutputTokens: 900 };
  expect(shrinkQuote(quoteCall(limited), limited, 1000n).shrunk).toBe(false);
});

test('a shrunk quote fits the headroom, and one token more would not', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10_000n }),
      fc.integer({ min: 1, max: 4 }),
      fc.bigInt({ min: 1n, max: 5_000_000n }),
      (headroom, choices, completion) => {
        const varied = { ...input, choices, prices: { ...prices, completion, audioCompletion: 0n } };
        const shrunk = shrinkQuote(quoteCall(varied), varied, headroom);
        if (!shrunk.shrunk) return;
        expect(shrunk.amount <= headroom).toBe(true);
        const oneMore = quoteCall({ ...varied, requestedOutputTokens: shrunk.outputTokens + 1 });
        expect(oneMore.amount > headroom).toBe(true);
      },
    ),
  );
});
