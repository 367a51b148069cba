import { describe, expect, it } from 'vitest';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { makeReceipt, receiptChannel, signReceipts } from '../testing/sign-receipts.ts';
import { HeldReceipts } from './find-contradictions.ts';
import { holdReceipt, type Finding, type HeldReceipt } from './held-receipt.ts';

function hold(...receipts: CallReceipt[]): HeldReceipt[] {
  return signReceipts(receipts).flatMap((stored) => holdReceipt(stored) ?? []);
}

const at = (sequence: number, runningTotal: bigint, amount = 10n): CallReceipt =>
  makeReceipt({ sequence, runningTotal, amount });

/** What is found as receipts arrive in an order. */
function findIn(receipts: readonly CallReceipt[]): Finding[] {
  const shelf = new HeldReceipts();
  return hold(...receipts).flatMap((held) => shelf.add(held));
}

const kinds = (receipts: readonly CallReceipt[]) => findIn(receipts).map(({ evidence }) => evidence.kind);

/** All orders of some things. */
function orders<T>(things: readonly T[]): T[][] {
  if (things.length <= 1) return [[...things]];
  return things.flatMap((thing, i) => orders(things.toSpliced(i, 1)).map((rest) => [thing, ...rest]));
}

describe('honest receipts', () => {
  const honest = [at(1, 10n), at(2, 25n, 15n), at(3, 25n, 0n), at(4, 35n)];

  it('contradict nothing in whatever order parallel calls return', () => {
    for (const order of orders(honest)) expect(findIn(order)).toEqual([]);
  });

  it('contradict nothing where some were lost, or come again', () => {
    for (const order of orders(honest)) expect(findIn([...order.slice(1), ...order.slice(1)])).toEqual([]);
  });

  it('of two channels, and of one channel id on two chains, are not compared', () => {
    const other = makeReceipt({ sequence: 3, channelId: `0x${'c5'.repeat(32)}` });
    expect(findIn([at(3, 30n), other])).toEqual([]);
    const receipt = at(3, 30n);
    const shelf = new HeldReceipts();
    const stored = [...signReceipts([receipt]), ...signReceipts([at(3, 31n)], { chainId: 10 })];
    expect(stored.flatMap((one) => holdReceipt(one) ?? []).flatMap((held) => shelf.add(held))).toEqual([]);
  });

  it('show what is missing between them, and what it cost', () => {
    const shelf = new HeldReceipts();
    for (const held of hold(at(6, 100n), at(3, 30n), at(2, 20n))) shelf.add(held);
    const hole = { channelId: receiptChannel, knownSinceMs: expect.any(Number) };
    expect(shelf.holes()).toEqual([
      { ...hole, from: 1, to: 1, charged: 10n },
      { ...hole, from: 4, to: 5, charged: 60n },
    ]);
  });
});

describe('a contradiction', () => {
  it('is two receipts for one sequence number, in either order, once', () => {
    const pair = [at(3, 30n), at(3, 31n, 11n)] as const;
    for (const order of orders(pair)) {
      const [finding, ...more] = findIn([...order, ...order]);
      expect(more).toEqual([]);
      expect(finding).toMatchObject({ evidence: { kind: 'duplicate-sequence' }, channelId: receiptChannel });
      expect(finding?.reason).toContain('sequence number 3 of the channel has two receipts');
    }
  });

  it('is two receipts for one call that say two amounts', () => {
    const first = at(3, 30n);
    expect(kinds([first, { ...first, amount: 11n, runningTotal: 31n }])).toEqual(['duplicate-sequence']);
  });

  it('is a running total above that of the receipt before it, whichever came first', () => {
    for (const order of orders([at(3, 30n), at(4, 47n)])) {
      const [finding] = findIn(order);
      expect(finding?.evidence).toMatchObject({ kind: 'wrong-running-total', earlier: { index: expect.any(BigInt) } });
      expect(finding?.reason).toBe('receipt 4 of the channel counts 47 atomic units so far, 7 more than was charged');
    }
  });

  it('is a first receipt that counts more than itself', () => {
    expect(findIn([at(1, 11n)])[0]?.evidence).toMatchObject({ kind: 'wrong-running-total', earlier: null });
  });

  it('is not a total that is too low, which harms the relay only, nor a receipt without a place', () => {
    expect(kinds([at(3, 30n), at(4, 39n)])).toEqual([]);
    expect(kinds([at(0, 30n), at(0, 40n)])).toEqual([]);
  });

  it('is still found when as many receipts came between as can be in flight', () => {
    const shelf = new HeldReceipts(3);
    const found = hold(at(1, 10n), at(2, 20n), at(3, 30n), at(4, 40n), at(3, 31n)).map((held) => shelf.add(held));
    expect(found.map(({ length }) => length)).toEqual([0, 0, 0, 0, 2]);
    // The oldest are forgotten: of what is beyond, the record is asked ("autopay dispute find").
    expect(hold(at(1, 11n, 11n)).flatMap((held) => shelf.add(held))).toEqual([]);
  });
});

describe('a stored receipt', () => {
  it('is no evidence without a channel, or where the record was changed', () => {
    const [free] = signReceipts([makeReceipt({ channelId: `0x${'00'.repeat(32)}`, sequence: 0 })]);
    expect(free && holdReceipt(free)).toBeUndefined();
    const [stored] = signReceipts([at(3, 30n)]);
    expect(stored && holdReceipt({ ...stored, receipt: 'AAAA' })).toBeUndefined();
  });
});
