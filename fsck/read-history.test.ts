import { describe, expect, it } from 'vitest';
import { zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { createPriceJudge } from './price-judge.ts';
import { readHistory, type ReadHistoryOptions } from './read-history.ts';
import { makeLog, makeReceipt, SyntheticChannel } from './testing/synthetic-log.ts';
import { LogWalk } from './walk-log.ts';

const payer: Hex = `0x${'aa'.repeat(20)}`;
const other: Hex = `0x${'bb'.repeat(20)}`;
const token: Hex = `0x${'cc'.repeat(20)}`;
const channelId: Hex = `0x${'01'.repeat(32)}`;
const otherChannel: Hex = `0x${'02'.repeat(32)}`;
const prices = plainPrices(1_000_000n, 2_000_000n);
/** 10 prompt and 5 completion tokens: 20 units. */
const rows: PriceRow[] = [{ model: 'sim-small', token, inUsd: false, ...prices }];
const priceRoot = rootOfPrices(rows);

/** Calls of the payer's channel between those of another payer and free ones. */
function makeCalls(count: number): CallReceipt[] {
  const own = new SyntheticChannel({ payer, channelId, token, priceRoot });
  const foreign = new SyntheticChannel({ payer: other, channelId: otherChannel, token, priceRoot });
  return Array.from({ length: count }, () => [own.charge(20n), foreign.charge(20n), makeReceipt()]).flat();
}

async function read(receipts: readonly CallReceipt[], more: Partial<ReadHistoryOptions> = {}) {
  const { head, source } = await makeLog(
    receipts.map((receipt) => encodeReceipt(receipt)),
    { perBlock: 7 },
  );
  const walk = new LogWalk(source, head);
  return readHistory({ walk, payer, prices: createPriceJudge({ tables: [rows] }), ...more });
}

function sign(receipt: CallReceipt): [string, SignedReceipt] {
  const none = Buffer.alloc(32);
  const signed = {
    entry: encodeReceipt(receipt),
    index: 0,
    size: 1,
    signedAtMs: 1,
    path: [],
    signature: Buffer.alloc(65),
  };
  return [receipt.callId, { ...signed, requestSalt: none, responseSalt: none }];
}

const wordsOf = ({ problems }: Awaited<ReturnType<typeof read>>) =>
  problems.map(({ claim, index, detail }) => `${index} ${claim}: ${detail}`);

describe('the history of a payer', () => {
  it('is all of its entries, and nobody else’s', async () => {
    const calls = makeCalls(10);
    const prices = createPriceJudge({ tables: [rows] });
    const facts = await read(calls, { prices, readChannel: () => Promise.resolve({ token, settled: 60n }) });
    expect(facts).toMatchObject({ entryCount: 10, elsewhereCount: 0, problems: [] });
    expect([...facts.channels.keys()]).toEqual([channelId]);
    const history = facts.channels.get(channelId);
    expect(history).toMatchObject({
      count: 10,
      missing: [],
      collectedAt: 3,
      newest: { sequence: 10, runningTotal: 200n },
    });
    expect(facts.tokens.get(token)).toEqual({ entries: 10, amount: 200n, refundOwed: 0n });
    expect([...facts.modelDays.values()]).toEqual([{ model: 'sim-small', day: 20_717 }]);
    expect([prices.judgedCount, prices.unknownCount, prices.tables.size]).toEqual([10, 0, 1]);
  });

  it('shows what was left out, moved, changed and charged twice', async () => {
    const calls = makeCalls(8);
    const without = calls.filter(({ sequence, payer: by }) => !(by === payer && sequence === 4));
    expect((await read(without)).channels.get(channelId)?.missing).toEqual([{ first: 4, last: 4 }]);
    const moved = calls.with(3, calls[6] ?? makeReceipt()).with(6, calls[3] ?? makeReceipt());
    expect(wordsOf(await read(moved)).join('\n')).toContain('entries are out of order');
    const changed = calls.with(3, { ...(calls[3] ?? makeReceipt()), amount: 25n });
    expect(wordsOf(await read(changed)).join('\n')).toContain('3 price: it charges 25, and its tokens cost 20');
    const twice = [...calls, calls[0] ?? makeReceipt()];
    expect(wordsOf(await read(twice)).join('\n')).toMatch(/used twice|out of order/);
  });

  it('has the payer’s receipts, byte for byte, free ones too', async () => {
    const calls = makeCalls(3);
    const mine = calls.filter(({ payer: by }) => by === payer || by === zeroAddress);
    const all = await read(calls, { receipts: new Map(mine.map(sign)) });
    expect(all).toMatchObject({ entryCount: 6, problems: [] });
    expect(all.logged.size).toBe(6);
    const [first = makeReceipt(), ...rest] = mine;
    const receipts = new Map([sign({ ...first, provider: 'another' }), ...rest.map(sign)]);
    const altered = await read(calls, { receipts });
    expect(wordsOf(altered)).toEqual([
      '0 receipt_logged: the receipt that the wallet was given differs from the logged entry',
    ]);
    expect(altered.logged.size).toBe(5);
  });

  it('finds an entry of the payer’s channel that names somebody else, where it knows the channel', async () => {
    const calls = makeCalls(3);
    const stolen = calls.with(3, { ...(calls[3] ?? makeReceipt()), payer: other });
    const facts = await read(stolen, { channels: [channelId] });
    expect(wordsOf(facts)).toEqual([
      expect.stringMatching(/^3 sequence_gap_free: it names 0xbb.* as payer of a channel/),
    ]);
    expect(facts.channels.get(channelId)?.missing).toEqual([]);
    // Without the chain's word of the channel, it is a gap.
    expect((await read(stolen)).channels.get(channelId)?.missing).toEqual([{ first: 2, last: 2 }]);
  });

  it('finds a charge in another token than its channel is in, whose price is another', async () => {
    const calls = makeCalls(3);
    const dear: Hex = `0x${'dd'.repeat(20)}`;
    const row = { ...rows[0], model: 'sim-small', inUsd: false, ...prices, token: dear, prompt: 10n ** 18n };
    const tables = [[...rows, row]];
    const root = rootOfPrices(tables[0] ?? []);
    const changed = calls.map((call) => (call.amount > 0n ? { ...call, priceRoot: root } : call));
    const lied = changed.with(3, { ...(changed[3] ?? makeReceipt()), token: dear });
    for (const channels of [[], [channelId]]) {
      const facts = await read(lied, {
        ...{
          channels,
          prices: createPriceJudge({ tables }),
          readChannel: () => Promise.resolve({ token, settled: 0n }),
        },
      });
      expect(wordsOf(facts)).toEqual([
        expect.stringMatching(/^3 price: it charges in 0xdd.*, and its channel is in 0xcc/),
      ]);
    }
  });

  it('has a channel that was paid of and has no entry at all, and none that nothing was paid of', async () => {
    const calls = makeCalls(2);
    const [hidden, idle]: [Hex, Hex] = [`0x${'07'.repeat(32)}`, `0x${'08'.repeat(32)}`];
    const readChannel = (id: Hex) => Promise.resolve({ token, settled: id === hidden ? 70n : 0n });
    const { channels } = await read(calls, { channels: [hidden, idle, channelId], readChannel });
    expect([...channels.keys()].toSorted()).toEqual([channelId, hidden]);
    expect(channels.get(hidden)).toMatchObject({ count: 0, settled: 70n, newest: undefined });
  });

  it('leaves what was paid on another chain to that chain', async () => {
    const calls = makeCalls(4);
    const none = await read(calls, { readChannel: () => Promise.resolve(undefined) });
    expect(none).toMatchObject({ entryCount: 0, elsewhereCount: 4, problems: [] });
    const direct = makeReceipt({ payer, token, amount: 99n, priceRoot });
    const known = await read([...calls, direct], { elsewhere: new Set([direct.callId]) });
    expect(known).toMatchObject({ entryCount: 4, elsewhereCount: 1, problems: [] });
  });

  it('notes an entry that is no receipt, and goes on', async () => {
    const entries = makeCalls(3).map((receipt) => encodeReceipt(receipt));
    const broken = Buffer.from(entries[3] ?? []);
    broken[40] = 1;
    const { head, source } = await makeLog(entries.with(3, broken), { perBlock: 4 });
    const facts = await readHistory({
      walk: new LogWalk(source, head),
      payer,
      prices: createPriceJudge({ tables: [] }),
    });
    expect(wordsOf(facts)).toEqual(['3 codec: it is not the canonical encoding of a receipt']);
    expect(facts.entryCount).toBe(2);
  });

  it('counts all problems, and puts the first 1,000 in words', async () => {
    const strange = Array.from({ length: 1_005 }, () => makeReceipt({ payer, channelId, token, amount: 0n }));
    const facts = await read(strange);
    expect([facts.problems.length, [...facts.problemCounts]]).toEqual([1_000, [['sequence_gap_free', 1_005]]]);
  });

  it('tells how far it is', async () => {
    const steps: number[] = [];
    await read(makeCalls(7), { onProgress: ({ start, size }) => void steps.push(start / size) });
    expect(steps).toEqual([2 / 3, 1 / 3, 0]);
  });
});
