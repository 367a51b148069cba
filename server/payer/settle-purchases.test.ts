import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { PurchaseLedger } from '../ledger/purchase-ledger.ts';
import type { TestBooks } from '../ledger/test-books.ts';
import { address, LogLines, nowMs, openPurchaseBooks, terms, wallet } from './payer-fixture.ts';
import { settlePurchases } from './settle-purchases.ts';

const nowSeconds = nowMs / 1_000;
const channelId: Hex = `0x${'0c'.repeat(32)}`;
const token = terms.token.address;
const key = { provider: 'seller', chainId: 31_337, escrow: address('e5'), payer: wallet.address, token };
let books: TestBooks;
let ledger: PurchaseLedger;
let used: Set<Hex>;
let chainSeconds: number;
let spent: bigint | undefined;
let asked: number;
let unreachable: number | undefined;
const lines = new LogLines();

beforeEach(() => {
  ({ books, ledger } = openPurchaseBooks());
  lines.lines.length = 0;
  [used, chainSeconds, spent, asked, unreachable] = [new Set(), nowSeconds, undefined, 0, undefined];
});
afterEach(() => books.close());

function settle(atMs = nowMs): Promise<number> {
  return settlePurchases({
    ...{ ledger, log: lines.log, nowMs: () => atMs },
    async readAuthorization({ chainId, nonce }) {
      asked += 1;
      if (chainId === unreachable) throw new AutoPayError('chain_unavailable', 'gone');
      return chainId === 31_337 ? { isUsed: used.has(nonce), atSeconds: chainSeconds } : undefined;
    },
    async askSpent() {
      asked += 1;
      if (spent === undefined) throw new AutoPayError('upstream_error', 'nobody there');
      return { spent, sequence: 0 };
    },
  });
}
async function buy(options: { nonce?: Hex; chainId?: number; isOnChannel?: boolean } = {}): Promise<void> {
  const { nonce = toHex(randomBytes(32)), chainId = 31_337, isOnChannel = false } = options;
  const decision = await ledger.openPurchase({
    ...{
      callId: createCallId(),
      attempt: 1,
      provider: 'seller',
      method: isOnChannel ? 'evm/session' : 'x402',
      chainId,
      token,
    },
    ...{ payer: wallet.address, payee: address('b1'), maximum: 100n, nowMs },
    ...{ maxPerCall: 100n, maxPerDay: 10_000n },
    authority: isOnChannel
      ? { kind: 'channel', channelId }
      : { kind: 'authorization', nonce, validBefore: nowSeconds + 60 },
  });
  if (!decision.ok) throw new Error(decision.reason);
  await ledger.closePurchase({ purchaseId: decision.purchaseId, state: 'unknown' });
}
const states = async () =>
  (await ledger.listPurchases({ after: 0, limit: 10 })).map(({ state, cost }) => ({ state, cost }));

it('an authorization is paid once its nonce is used, and void once it has ended unused', async () => {
  const nonce = toHex(randomBytes(32));
  await buy({ nonce });
  await buy();
  expect(await settle()).toBe(2);
  used.add(nonce);
  expect(await settle()).toBe(1);
  // At its end, and some seconds after it: another block of that time may still come.
  chainSeconds = nowSeconds + 119;
  expect(await settle()).toBe(1);
  chainSeconds = nowSeconds + 120;
  expect(await settle()).toBe(0);
  expect(await states()).toEqual([
    { state: 'paid', cost: 100n },
    { state: 'void', cost: 0n },
  ]);
  const day = Math.floor(nowMs / 86_400_000);
  expect(await ledger.spentOnPurchases({ provider: 'seller', chainId: 31_337, token, day })).toBe(100n);
});

it('one on a chain that is no longer configured stays counted', async () => {
  await buy({ chainId: 1 });
  chainSeconds = nowSeconds + 1_000;
  expect(await settle()).toBe(1);
  expect(await states()).toEqual([{ state: 'unknown', cost: null }]);
});

it('a chain that cannot be reached is asked once, and holds up nothing on the others', async () => {
  for (const chainId of [1, 1, 31_337]) await buy({ chainId });
  unreachable = 1;
  chainSeconds = nowSeconds + 1_000;
  expect(await settle()).toBe(2);
  expect(asked).toBe(2);
  expect((await states()).map(({ state }) => state)).toEqual(['unknown', 'unknown', 'void']);
  expect(lines.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ facts: { chainId: 1 } }]);
});

it('of a channel the seller is asked once no call can be running any more', async () => {
  await ledger.addPurchaseChannel({ ...key, channelId, payee: address('b1'), saltIndex: 0, amount: 1_000n });
  await ledger.endRefill({ channelId, refill: 1, deposit: 1_000n });
  await buy({ isOnChannel: true });
  await buy({ isOnChannel: true });
  spent = 130n;
  await settle(nowMs + 1_499_000);
  expect(asked).toBe(0);
  await settle(nowMs + 1_500_000);
  expect(await states()).toEqual([
    { state: 'paid', cost: 100n },
    { state: 'paid', cost: 30n },
  ]);
  expect(await ledger.findPurchaseChannel(key)).toMatchObject({ spent: 130n, reserved: 0n, stopped: null });
});

it('what the seller says is not taken if it cannot be, and a seller that says nothing is asked again', async () => {
  await ledger.addPurchaseChannel({ ...key, channelId, payee: address('b1'), saltIndex: 0, amount: 1_000n });
  await ledger.endRefill({ channelId, refill: 1, deposit: 1_000n });
  await buy({ isOnChannel: true });
  expect(await settle(nowMs + 1_500_000)).toBe(1);
  expect(lines.lines).toMatchObject([{ level: 'warn' }]);
  spent = 101n;
  await settle(nowMs + 1_500_000);
  expect((await ledger.findPurchaseChannel(key))?.stopped).toContain('101');
  expect(lines.lines.at(-1)).toMatchObject({ level: 'error', facts: { provider: 'seller' } });
});
