import type { PublicClient } from 'viem';
import { describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { receiptOfVector, readVectors } from '../protocol/vectors/read-vectors.ts';
import { checkConversions, checkTables, createPriceCheck } from './check-prices.ts';
import { verifyPrice } from './verify-price.ts';

const usdc: Hex = `0x${'c1'.repeat(20)}`;
const weth: Hex = `0x${'e1'.repeat(20)}`;
const contracts = { priceBook: usdc, priceOracle: weth };
const prices = plainPrices(1_000_000n, 2_000_000n);
const rows: PriceRow[] = [
  { model: 'm', token: usdc, inUsd: false, ...prices },
  { model: 'm', token: weth, inUsd: true, ...prices },
];
const tokens = [
  { symbol: 'USDC', address: usdc, decimals: 6 },
  { symbol: 'WETH', address: weth, decimals: 8 },
];
const fields = readVectors().receipts[1]?.fields;
if (!fields) throw new Error('the vectors have two receipts');
/** 10 prompt and 5 completion tokens: 20 units; 40 hundred-millionths of a token at half a dollar. */
const receipt = {
  ...receiptOfVector(fields),
  ...{ modelAsked: 'm', token: usdc, amount: 20n, priceRoot: rootOfPrices(rows), oracleRound: 0n },
  usage: {
    prompt: 10,
    cachedPrompt: 0,
    cacheWrite: 0,
    audioPrompt: 0,
    completion: 5,
    reasoning: 0,
    audioCompletion: 0,
  },
};
const converted = { ...receipt, token: weth, amount: 40n, oracleRound: 7n };

/** A chain in memory: the root is in force, and round 7 was current, until told otherwise. */
function chainWith(changes: { isInForce?: boolean } = {}): PublicClient {
  const answers: Record<string, (args: readonly unknown[]) => unknown> = {
    isInForce: () => changes.isInForce ?? true,
    decimals: () => 8,
    priceAt: ([, round]) => [{ answer: 50_000_000n, decimals: 8 }, round === 7n],
  };
  const readContract = (call: { functionName: string; args?: readonly unknown[] }) =>
    Promise.resolve(answers[call.functionName]?.(call.args ?? []));
  return { readContract } as unknown as PublicClient;
}

describe('the price of one call', () => {
  const verify = (changed: Partial<typeof receipt>, isInForce = true, table: PriceRow[] = rows) =>
    verifyPrice({ ...receipt, ...changed }, { client: chainWith({ isInForce }), contracts, tables: [[], table] });
  const verdicts = async (...args: Parameters<typeof verify>) =>
    (await verify(...args)).claims.map(({ name, ok }) => `${name} ${ok}`);

  it('holds where the table was published and the amount is within price times usage', async () => {
    expect(await verdicts({})).toEqual(['prices_published true', 'price true']);
    expect(await verdicts({ amount: 19n })).toEqual(['prices_published true', 'price true']);
    expect(await verdicts(converted)).toEqual(['prices_published true', 'price true']);
    // What a dispute about it takes: the row with its place in the table.
    expect((await verify(converted)).price).toMatchObject({ row: rows[1], index: 1, size: 2 });
  });

  it('fails for a table that was not in force, an amount above it, another round, or a model without a row', async () => {
    expect(await verdicts({}, false)).toEqual(['prices_published false', 'price true']);
    expect(await verdicts({ amount: 21n })).toEqual(['prices_published true', 'price false']);
    expect(await verdicts({ ...converted, amount: 41n })).toEqual(['prices_published true', 'price false']);
    expect(await verdicts({ ...converted, oracleRound: 8n })).toEqual(['prices_published true', 'price false']);
    expect(await verdicts({ ...converted, oracleRound: (1n << 80n) + 7n })).toEqual([
      'prices_published true',
      'price false',
    ]);
    expect(await verdicts({ modelAsked: 'x' })).toEqual(['prices_published true', 'price false']);
    const usage = { ...receipt.usage, cachedPrompt: receipt.usage.prompt + 1 };
    expect(await verdicts({ usage })).toEqual(['prices_published true', 'price false']);
  });

  it('says nothing of the amount without the table that the receipt names', async () => {
    expect(await verdicts({}, true, rows.slice(1))).toEqual(['prices_published true', 'price null']);
    expect(await verdicts({ priceRoot: `0x${'00'.repeat(32)}` })).toEqual(['prices_published true', 'price null']);
  });
});

describe('the prices of all calls', () => {
  function check(changed: Partial<typeof receipt>, quote: bigint | null = null) {
    const pass = createPriceCheck({ rows, tables: new Map(), tokens });
    pass.check({ index: 3, receipt: { ...receipt, ...changed }, quote });
    return { claim: pass.toClaim(), converted: pass.converted };
  }

  it('are price times usage, or what was reserved', () => {
    expect(check({}).claim).toMatchObject({ ok: true });
    expect(check({ amount: 15n }, 15n).claim).toMatchObject({ ok: true });
    expect(check({ amount: 15n }, 16n).claim).toMatchObject({ ok: false });
    expect(check({ amount: 21n }).claim.detail).toBe('entry 3 charges 21, and its tokens cost 20');
    expect(check({ oracleRound: 1n }).claim).toMatchObject({ ok: false });
    expect(check({ modelAsked: 'free', amount: 0n }).claim).toMatchObject({ ok: true });
    expect(check({ modelAsked: 'free', amount: 1n }).claim).toMatchObject({ ok: false });
    expect(check({ token: `0x${'00'.repeat(20)}`, amount: 0n }).claim).toMatchObject({ ok: false });
  });

  it('cannot be told without the table that the receipt names, so a charge under it does not pass', () => {
    const priceRoot: Hex = `0x${'77'.repeat(32)}`;
    expect(check({ priceRoot }).claim).toEqual({
      ...{ name: 'prices_recomputed', ok: false },
      detail: `entry 3 charges 20 under the price table ${priceRoot}, which is not here: put it back as prices/${priceRoot}.json`,
    });
    const nothing = check({ priceRoot, amount: 0n }).claim;
    expect(nothing).toMatchObject({ ok: true, detail: expect.stringContaining('1 of nothing name tables') });
  });

  it('are recomputed under any table that the relay kept', () => {
    const kept = createPriceCheck({ rows: [], tables: new Map([[receipt.priceRoot, rows]]), tokens });
    kept.check({ index: 0, receipt, quote: null });
    kept.check({ index: 1, receipt: { ...receipt, amount: receipt.amount + 1n }, quote: null });
    expect(kept.toClaim()).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^entry 1 charges \d+, and its tokens cost \d+$/),
    });
  });

  it('are those of tables that were in force from the first call to the last', async () => {
    const pass = createPriceCheck({ rows, tables: new Map(), tokens });
    const other: Hex = `0x${'00'.repeat(32)}`;
    for (const [index, atMs] of [2_000, 1_999, 3_000].entries())
      pass.check({ index, receipt: { ...receipt, admittedAtMs: atMs }, quote: null });
    pass.check({ index: 3, receipt: { ...receipt, admittedAtMs: 9_000, amount: 0n }, quote: null });
    pass.check({ index: 4, receipt: { ...receipt, admittedAtMs: 9_000, priceRoot: other }, quote: null });
    /** A chain that has each table in force from one second to another. */
    const verdict = async (from: bigint, to: bigint) => {
      const readContract = ({ args: [root, at] }: { args: [Hex, bigint] }) =>
        Promise.resolve(root === other || (at >= from && at <= to));
      const client = { readContract } as unknown as PublicClient;
      return checkTables({ client, settings: { contracts }, tables: pass.tables });
    };
    expect(await verdict(1n, 3n)).toMatchObject({ ok: true, detail: expect.stringContaining('2 price table(s)') });
    expect((await verdict(2n, 3n)).detail).toBe(
      `entry 1 names the price table ${receipt.priceRoot}, which was not in force when it was admitted`,
    );
    expect((await verdict(1n, 2n)).detail).toContain('entry 2 names');
  });

  it('in US dollars are converted at the round of their time', async () => {
    const verdict = async (changed: Partial<typeof receipt>, quote: bigint | null = null) => {
      const left = check({ ...converted, ...changed }, quote).converted;
      expect(left).toHaveLength(1);
      const others = { paymentChannels: usdc, autoPayLLM: usdc, auditLog: usdc, keyRegistry: usdc };
      const settings = { contracts: { ...contracts, ...others }, tokens };
      return (await checkConversions({ client: chainWith(), settings, converted: left })).ok;
    };
    expect(await verdict({})).toBe(true);
    expect(await verdict({ amount: 30n }, 30n)).toBe(true);
    expect(await verdict({ amount: 41n })).toBe(false);
    expect(await verdict({ oracleRound: 8n })).toBe(false);
  });
});
