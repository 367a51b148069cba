import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { createReceiptConfirmer, type ReceiptConfirmer, type ReceiptToConfirm } from './confirm-receipt.ts';

const relay: Hex = `0x${'11'.repeat(20)}`;
const root = (byte: string): Hex => `0x${byte.repeat(32)}`;

/** What the chain says, and what it was asked: key or root, and unix seconds. */
let isKey: boolean;
let inForce: Set<Hex>;
let asked: [Hex, number | undefined][];
let isAway: boolean;
let warnings: string[];
let confirm: ReceiptConfirmer;
const onWarning = (message: string) => void warnings.push(message);
const answer = <T>(what: Hex, at: number | undefined, value: T): Promise<T> => {
  if (isAway) return Promise.reject(new Error('away'));
  asked.push([what, at]);
  return Promise.resolve(value);
};
const chain = {
  isReceiptKey: (key: Hex, at?: number) => answer(key, at, isKey),
  isInForce: (priceRoot: Hex, at: number) => answer(priceRoot, at, inForce.has(priceRoot)),
};
beforeEach(() => {
  [isKey, inForce, asked, warnings, isAway] = [true, new Set([root('aa')]), [], [], false];
  confirm = createReceiptConfirmer({ relay, chain, onWarning });
});

const receiptAt = (atMs: number, priceRoot = root('aa'), amount = 1n): ReceiptToConfirm => ({
  receipt: { amount, priceRoot, admittedAtMs: atMs },
  signedAtMs: atMs + 1_000,
});

describe('a receipt', () => {
  it('is confirmed by key and price table, each at its time', async () => {
    expect(await confirm(receiptAt(100_999))).toEqual([]);
    expect(asked).toEqual([
      [relay, 101],
      [root('aa'), 100],
    ]);
  });

  it('has a problem where its signer was no receipt key', async () => {
    isKey = false;
    expect(await confirm(receiptAt(0))).toEqual([expect.stringContaining('KeyRegistry did not have its signer')]);
  });

  it('has a problem where the table changed to one that was not in force', async () => {
    await confirm(receiptAt(0));
    expect(await confirm(receiptAt(1, root('bb')))).toEqual([
      expect.stringContaining(`price table ${root('bb')} in force`),
    ]);
    inForce.add(root('bb'));
    expect(await confirm(receiptAt(2, root('bb')))).toEqual([]);
  });

  it('names a table in vain where nothing was charged', async () => {
    expect(await confirm(receiptAt(0, root('bb'), 0n))).toEqual([]);
  });

  it('is confirmed by what was confirmed at most a minute before it', async () => {
    await confirm(receiptAt(100_000));
    [isKey, asked] = [false, []];
    inForce.clear();
    expect(await confirm(receiptAt(159_999))).toEqual([]);
    expect(asked).toEqual([]);
    expect(await confirm(receiptAt(160_000))).toHaveLength(2);
  });

  it('is not confirmed by what was confirmed for a time after it', async () => {
    await confirm(receiptAt(100_000));
    isKey = false;
    inForce.clear();
    expect(await confirm(receiptAt(99_999))).toHaveLength(2);
  });

  it('is not lost where the chain cannot be asked: what it said before has to do, and else the owner is told', async () => {
    await confirm(receiptAt(0));
    isAway = true;
    expect(await confirm(receiptAt(100_000))).toEqual([]);
    expect(warnings).toEqual([]);
    expect(await confirm(receiptAt(100_000, root('bb')))).toEqual([]);
    expect(warnings).toEqual([`The chain could not be asked for the price table ${root('bb')}.`]);
    const stranger = createReceiptConfirmer({ relay, chain, onWarning });
    expect(await stranger(receiptAt(0))).toEqual([]);
    expect(warnings).toHaveLength(3);
    isAway = false;
    inForce.clear();
    expect(await confirm(receiptAt(100_000))).toHaveLength(1);
  });

  it('waits for a chain that hangs once, and the next one not at all', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const hang = () => Promise.withResolvers<boolean>().promise;
    const hung = createReceiptConfirmer({ relay, chain: { isReceiptKey: hang, isInForce: hang }, onWarning });
    const first = hung(receiptAt(0));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await first).toEqual([]);
    expect(await hung(receiptAt(1))).toEqual([]);
    expect(warnings).toHaveLength(4);
  });

  it('is taken as it is without a chain', async () => {
    expect(await createReceiptConfirmer({ relay, chain: undefined, onWarning })(receiptAt(0))).toEqual([]);
  });
});
