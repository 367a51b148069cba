import { describe, expect, it } from 'vitest';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { makeReceipt, signReceipts } from '../testing/sign-receipts.ts';
import { findWrongDelivery, judgePrice, type PriceFacts } from './find-wrong-price.ts';
import { holdReceipt, type HeldReceipt } from './held-receipt.ts';

const prices = plainPrices(1_000_000n, 2_000_000n);
const { token } = makeReceipt();
const rows: PriceRow[] = [
  { model: 'a', token, inUsd: false, ...prices },
  { model: 'm', token, inUsd: false, ...prices },
  // 1 US dollar with 8 decimals per token.
  { model: 'usd', token, inUsd: true, ...prices, prompt: 100_000_000_000_000n },
];
const priceRoot = rootOfPrices(rows);
const facts: PriceFacts = {
  isInForce: async () => true,
  rowsOf: async () => rows,
  readConversion: async () => ({ answer: 100_000_000n, answerDecimals: 8, tokenDecimals: 6 }),
};

function hold(change: Partial<CallReceipt>, problems: string[] = []): HeldReceipt {
  const [stored] = signReceipts([makeReceipt({ priceRoot, ...change })], { problems });
  const held = stored && holdReceipt(stored);
  if (!held) throw new Error('the receipt is none');
  return held;
}

describe('a charge', () => {
  it('fits at its price and below it, and where nothing is charged', async () => {
    for (const amount of [10n, 9n, 0n]) expect(await judgePrice(hold({ amount }), facts)).toBe('fits');
    const usd = hold({ modelAsked: 'usd', amount: 10_000_000n });
    expect(await judgePrice(usd, facts)).toBe('fits');
  });

  it('above its row is found, with the row and its proof', async () => {
    const judgement = await judgePrice(hold({ amount: 11n }), facts);
    expect(judgement).toMatchObject({
      finding: {
        reason: '11 atomic units were charged for 10 + 0 tokens, which cost 10 by row 1 of the published prices',
        evidence: { kind: 'overcharge', proven: { row: { model: 'm' }, index: 1n, size: 3n } },
      },
    });
  });

  it('of a usage that cannot be is found', async () => {
    const usage = { ...makeReceipt().usage, cachedPrompt: 11 };
    expect(await judgePrice(hold({ usage }), facts)).toMatchObject({
      finding: { reason: expect.stringContaining('a usage whose parts exceed the whole') },
    });
  });

  it('converted by a round that was not the current one is found', async () => {
    const usd = hold({ modelAsked: 'usd', amount: 1n, oracleRound: 7n });
    expect(await judgePrice(usd, { ...facts, readConversion: async () => undefined })).toMatchObject({
      finding: {
        evidence: { kind: 'overcharge' },
        reason: expect.stringContaining("the oracle's round 7, which was not"),
      },
    });
  });

  it('by a table that was not in force is found, whatever the table says', async () => {
    const unpublished: PriceFacts = { ...facts, isInForce: async () => false, rowsOf: async () => undefined };
    expect(await judgePrice(hold({}), unpublished)).toMatchObject({
      finding: { evidence: { kind: 'unpublished-prices' }, reason: expect.stringContaining('was not in force') },
    });
  });
});

describe('nothing is found', () => {
  it.each<[string, Partial<CallReceipt>, Partial<PriceFacts>, string]>([
    ['where the table is not at hand', { amount: 11n }, { rowsOf: async () => undefined }, 'is not at hand'],
    [
      'where the relay lists other prices by now',
      { amount: 11n },
      { rowsOf: async () => rows.slice(1) },
      'is not at hand',
    ],
    ['of a model that the table does not have', { amount: 11n, modelAsked: 'b' }, {}, 'is not at hand'],
    [
      'where the oracle cannot be asked',
      { amount: 11n, modelAsked: 'usd' },
      { readConversion: async () => null },
      'could not be asked for round 0',
    ],
  ])('%s', async (_, change, less, words) => {
    const judgement = await judgePrice(hold(change), { ...facts, ...less });
    expect(judgement).toMatchObject({ unjudged: expect.stringContaining(words) });
  });

  it('of the table where the chain was not asked', async () => {
    expect(await judgePrice(hold({}), { ...facts, isInForce: async () => undefined })).toBe('fits');
  });
});

describe('a receipt for something else than was delivered', () => {
  it.each(['it commits to another answer', 'it commits to another request', 'it is for model b'])(
    'claims all of it before the governance: %s',
    (problem) => {
      const finding = findWrongDelivery(hold({}, ['it was signed at … and not when it came', problem]));
      expect(finding).toMatchObject({ evidence: { kind: 'metering', amount: 10n } });
      expect(finding?.reason).toContain(problem);
    },
  );

  it('is not one that came late, or cost nothing', () => {
    expect(findWrongDelivery(hold({}, ['it was signed at …, and not when it came']))).toBeUndefined();
    expect(findWrongDelivery(hold({ amount: 0n }, ['it commits to another answer']))).toBeUndefined();
    expect(findWrongDelivery(hold({}))).toBeUndefined();
  });
});
