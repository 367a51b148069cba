import { describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { createPriceJudge, type PricedEntry, type ReadRound } from './price-judge.ts';

const usdc: Hex = `0x${'c1'.repeat(20)}`;
const weth: Hex = `0x${'e1'.repeat(20)}`;
const prices = plainPrices(1_000_000n, 2_000_000n);
const rows: PriceRow[] = [
  { model: 'm', token: usdc, inUsd: false, ...prices },
  { model: 'm', token: weth, inUsd: true, ...prices },
];
const usage = {
  prompt: 10,
  cachedPrompt: 0,
  cacheWrite: 0,
  audioPrompt: 0,
  completion: 5,
  reasoning: 0,
  audioCompletion: 0,
};
/** 20 units of USDC, or 40 of WETH at half a dollar. */
const charge: PricedEntry = {
  ...{
    admittedAtMs: 5_000,
    amount: 20n,
    modelAsked: 'm',
    oracleRound: 0n,
    priceRoot: rootOfPrices(rows),
    token: usdc,
    usage,
  },
};
const converted = { ...charge, token: weth, amount: 40n, oracleRound: 7n };

/** An oracle whose round 7 was current up to 9,000 ms. */
function createOracle() {
  const asked: string[] = [];
  const readRound: ReadRound = ({ oracleRound, admittedAtMs }) => {
    asked.push(`${oracleRound} at ${admittedAtMs}`);
    const wasCurrent = oracleRound === 7n && admittedAtMs <= 9_000;
    return Promise.resolve(wasCurrent ? { answer: 50_000_000n, answerDecimals: 8, tokenDecimals: 8 } : undefined);
  };
  return { asked, readRound };
}

async function problemsOf(charges: readonly PricedEntry[], readRound?: ReadRound) {
  const judge = createPriceJudge({ tables: [rows], ...(readRound && { readRound }) });
  const problems: string[] = [];
  for (const one of charges) judge.judge(one, (problem) => problems.push(problem));
  await judge.settle();
  return { judge, problems: [...problems, ...(await judge.checkRounds())] };
}

describe('the prices of many charges', () => {
  it('are recomputed; less than the price is no fault', async () => {
    const { problems, judge } = await problemsOf([
      charge,
      { ...charge, amount: 19n },
      { ...charge, amount: 0n, priceRoot: usdc },
    ]);
    expect(problems).toEqual([]);
    expect([judge.judgedCount, judge.unknownCount]).toEqual([2, 0]);
    expect([...judge.tables]).toEqual([[charge.priceRoot, { firstMs: 5_000, lastMs: 5_000 }]]);
  });

  it('name what is wrong', async () => {
    const { problems } = await problemsOf([
      { ...charge, amount: 21n },
      { ...charge, modelAsked: 'x' },
      { ...charge, usage: { ...usage, cachedPrompt: 11 } },
    ]);
    expect(problems).toEqual([
      'it charges 21, and its tokens cost 20',
      `x in ${usdc} is in no row of its price table`,
      'the parts of its usage exceed the whole',
    ]);
  });

  it('count what cannot be told', async () => {
    const unknown = { ...charge, priceRoot: `0x${'77'.repeat(32)}` as const };
    const { judge, problems } = await problemsOf([unknown, converted]);
    expect([judge.judgedCount, judge.unknownCount, problems]).toEqual([0, 2, []]);
  });

  it('in US dollars ask for each round once, and once more at both ends of its use', async () => {
    const oracle = createOracle();
    const times = [5_000, 2_000, 8_000, 6_000];
    const { problems, judge } = await problemsOf(
      times.map((admittedAtMs) => ({ ...converted, admittedAtMs })),
      oracle.readRound,
    );
    expect([problems, judge.judgedCount]).toEqual([[], 4]);
    expect(oracle.asked).toEqual(['7 at 5000', '7 at 2000', '7 at 8000']);
    const late = await problemsOf([converted, { ...converted, admittedAtMs: 9_001 }], createOracle().readRound);
    expect(late.problems).toEqual([
      expect.stringContaining('not the oracle’s current one at 9001 ms'.replace('’', "'")),
    ]);
    const wrong = await problemsOf(
      [
        { ...converted, oracleRound: 8n },
        { ...converted, amount: 41n },
      ],
      createOracle().readRound,
    );
    expect(wrong.problems).toEqual([
      "round 8 was not the oracle's current one when it was admitted",
      'it charges 41, and its tokens cost 40',
    ]);
  });
});
