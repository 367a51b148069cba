import { decodeFunctionData, type TransactionReceipt } from 'viem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { computeChannelId } from '../../protocol/typed-data/channel-id.ts';
import type { Finality } from '../chain/finality.ts';
import type { EscrowPlace } from '../chain/fund-channel.ts';
import type { TransactionQueue, TransactionRequest } from '../chain/send-queued-transactions.ts';
import type { PurchaseLedger } from '../ledger/purchase-ledger.ts';
import type { TestBooks } from '../ledger/test-books.ts';
import { createChannelKeeper, type ChannelKeeper, type RefillTerms } from './keep-channel.ts';
import { address, LogLines, nowMs, openPurchaseBooks, terms, wallet } from './payer-fixture.ts';

const escrow = address('e5');
const payee = address('b1');
const key = { provider: 'seller', chainId: 31_337, escrow, payer: wallet.address, token: terms.token.address };

/** Escrow and token in memory. A block for each transaction. */
class FakeChain {
  balance = 100_000n;
  allowance = 0n;
  block = 10;
  finalBlock = Infinity;
  /** By so many blocks the node that answers is behind. */
  behind = 0;
  baseFee = 10n;
  readonly deposits = new Map<Hex, { block: number; amount: bigint }[]>();
  finalized = false;
  settled = 0n;
  closeRequestedAt = 0n;
  readonly sent: string[] = [];
  /** Blocks, by purpose. */
  readonly #done = new Map<string, bigint>();
  /** Thrown instead of the next transaction's receipt; the transaction is mined all the same. */
  crash: Error | undefined;

  readonly client = {
    getBlockNumber: async () => BigInt(this.block - this.behind),
    getBlock: async () => ({ number: BigInt(Math.min(this.finalBlock, this.block)) }),
    readContract: async ({
      functionName,
      args,
      blockNumber,
    }: {
      functionName: string;
      args: [Hex];
      blockNumber?: bigint;
    }) => {
      if (functionName === 'balanceOf') return this.balance;
      if (functionName === 'allowance') return this.allowance;
      const made = this.deposits.get(args[0]) ?? [];
      const deposit = made
        .filter(({ block }) => block <= Number(blockNumber))
        .reduce((sum, { amount }) => sum + amount, 0n);
      return { deposit, settled: this.settled, closeRequestedAt: this.closeRequestedAt, finalized: this.finalized };
    },
  } as unknown as EscrowPlace['client'];

  readonly queue: Pick<TransactionQueue, 'follow' | 'send'> = {
    follow: async (purpose) => {
      const blockNumber = this.#done.get(purpose);
      return blockNumber === undefined ? undefined : ({ blockNumber } as TransactionReceipt);
    },
    send: async (request) => {
      if (!this.#done.has(request.purpose)) this.#mine(request);
      const { crash } = this;
      this.crash = undefined;
      if (crash) throw crash;
      return { blockNumber: this.#done.get(request.purpose) } as TransactionReceipt;
    },
  };

  #mine({ data, purpose, to }: TransactionRequest): void {
    this.block += 1;
    this.#done.set(purpose, BigInt(this.block));
    if (to === terms.token.address) {
      const { args } = decodeFunctionData({ abi: fiatTokenAbi, data });
      this.sent.push('approve');
      this.allowance = (args as [Hex, bigint])[1];
      return;
    }
    const { args, functionName } = decodeFunctionData({ abi: paymentChannelsAbi, data });
    this.sent.push(functionName);
    const [first, second, third, salt] = args as unknown as [Hex, Hex | bigint, bigint, Hex];
    const amount = functionName === 'open' ? third : (second as bigint);
    const identity = {
      payer: wallet.address,
      payee,
      token: terms.token.address,
      salt,
      authorizedSigner: zeroAddress,
      escrow,
      chainId: 31_337,
    };
    const channelId = functionName === 'open' ? computeChannelId(identity) : first;
    this.deposits.set(channelId, [...(this.deposits.get(channelId) ?? []), { block: this.block, amount }]);
    this.allowance -= amount;
    this.balance -= amount;
  }
}

let books: TestBooks;
let ledger: PurchaseLedger;
let chain: FakeChain;
let clockMs: number;
const lines = new LogLines();
beforeEach(() => {
  ({ books, ledger } = openPurchaseBooks());
  chain = new FakeChain();
  clockMs = nowMs;
  lines.lines.length = 0;
});
afterEach(() => books.close());

const refill: RefillTerms = { threshold: 2_000n, amount: 5_000n, gasOptimized: false, maxWaitMs: 60_000 };
function keeperOf(
  changes: Partial<RefillTerms> | null = {},
  finality: Finality = { kind: 'blocks', count: 0 },
): ChannelKeeper {
  return createChannelKeeper({
    ...{ client: chain.client, escrow, finality, terms, wallet, balance: 4_000n, queue: chain.queue, ledger },
    ...{ refill: changes && { ...refill, ...changes }, log: lines.log, nowMs: () => clockMs },
    fees: { look: async () => ({ baseFee: chain.baseFee, average: 10n }) },
    askPayee: async () => payee,
  });
}
async function spend(amount: bigint): Promise<void> {
  const channel = await ledger.findPurchaseChannel(key);
  const decision = await ledger.openPurchase({
    ...{ callId: createCallId(), attempt: 1, provider: 'seller', method: 'evm/session', chainId: 31_337 },
    ...{ token: key.token, payer: key.payer, payee, maximum: amount, nowMs },
    ...{ maxPerCall: 1_000_000n, maxPerDay: 1_000_000n },
    authority: { kind: 'channel', channelId: channel?.channelId ?? '0x' },
  });
  if (!decision.ok) throw new Error(decision.reason);
}
const channel = () => ledger.findPurchaseChannel(key);
const messages = () => lines.lines.map(({ level, message }) => `${level}: ${message}`);

describe('a channel with a provider', () => {
  it('is opened with its first deposit, once, and left alone while it is not low', async () => {
    const keeper = keeperOf();
    expect(keeper.condition()).toMatchObject({ condition: 'opening', channelId: null });
    await keeper.keep();
    await keeper.keep();
    expect(chain.sent).toEqual(['approve', 'open']);
    expect(await channel()).toMatchObject({ payee, deposit: 4_000n, refills: 1, refillAmount: null, saltIndex: 0 });
    expect(keeper.condition()).toMatchObject({ condition: 'ok', deposit: '4000', available: '4000' });
    expect(chain.allowance).toBe(0n);
  });

  it('is filled up below its threshold, by what runs as well as by what is spent', async () => {
    const keeper = keeperOf();
    await keeper.keep();
    await spend(2_000n);
    await keeper.keep();
    expect(chain.sent).toHaveLength(2);
    await spend(1n);
    await keeper.keep();
    expect(chain.sent.slice(2)).toEqual(['approve', 'topUp']);
    expect(await channel()).toMatchObject({ deposit: 9_000n, refills: 2 });
    expect(messages()).toContain('warn: a channel with a provider is low');
    await keeper.keep();
    expect(await channel()).toMatchObject({ lowSinceMs: null });
    expect(chain.sent).toHaveLength(4);
  });

  it.each(['open', 'topUp'])('a crash after the %s was sent makes no second one', async (step) => {
    const keeper = keeperOf();
    if (step === 'topUp') {
      await keeper.keep();
      await spend(3_000n);
    }
    // The approval is already there, so that the crash hits the deposit itself.
    chain.allowance = 100_000n;
    chain.crash = new AutoPayError('chain_unavailable', 'killed');
    await expect(keeper.keep()).rejects.toThrow('killed');
    expect((await channel())?.refillAmount).not.toBeNull();
    const after = keeperOf();
    await after.keep();
    await after.keep();
    expect(chain.sent.filter((name) => name === step)).toHaveLength(1);
    expect(await channel()).toMatchObject({ refillAmount: null, deposit: step === 'open' ? 4_000n : 9_000n });
  });

  it('a crash before anything was sent takes the same deposit up again', async () => {
    await keeperOf().keep();
    await spend(3_000n);
    const { channelId = '0x' } = (await channel()) ?? {};
    await ledger.beginRefill({ channelId, amount: 5_000n });
    await keeperOf().keep();
    expect(chain.deposits.get(channelId)?.map(({ amount }) => amount)).toEqual([4_000n, 5_000n]);
    expect(await channel()).toMatchObject({ refills: 2, refillAmount: null });
  });

  it('a deposit that is not final yet is not spent from, and is not made again', async () => {
    const keeper = keeperOf({}, { kind: 'tag', tag: 'safe' });
    chain.finalBlock = chain.block;
    await keeper.keep();
    await keeper.keep();
    expect(await channel()).toMatchObject({ deposit: 0n, refillAmount: null });
    expect(chain.sent).toEqual(['approve', 'open']);
    chain.finalBlock = chain.block;
    await keeper.keep();
    expect(await channel()).toMatchObject({ deposit: 4_000n });
  });

  it('waits while the base fee is above its average, but no longer than its deadline, and not with an empty channel', async () => {
    const keeper = keeperOf({ gasOptimized: true });
    await keeper.keep();
    await spend(2_500n);
    chain.baseFee = 11n;
    await keeper.keep();
    expect(keeper.condition()).toMatchObject({ condition: 'waiting_for_fees', available: '1500' });
    clockMs += 59_000;
    // The time of the wait is durable.
    await keeperOf({ gasOptimized: true }).keep();
    expect(chain.sent).toHaveLength(2);
    clockMs += 1_000;
    await keeper.keep();
    expect(chain.sent).toHaveLength(4);

    await spend(5_600n);
    await keeper.keep();
    // 900 are left, and a call may cost 1,000.
    expect(chain.sent).toHaveLength(6);
    await spend(4_400n);
    await keeper.keep();
    expect(keeper.condition()).toMatchObject({ condition: 'waiting_for_fees' });
    chain.baseFee = 10n;
    await keeper.keep();
    expect(chain.sent).toHaveLength(8);
  });

  it('that cannot be filled up is told loudly, until the wallet has money', async () => {
    const keeper = keeperOf();
    await keeper.keep();
    await spend(3_000n);
    chain.balance = 4_999n;
    await expect(keeper.keep()).rejects.toMatchObject({ code: 'insufficient_balance' });
    expect(keeper.condition()).toMatchObject({ condition: 'unfunded', available: '1000' });
    expect(messages()).toContain('error: a channel with a provider is low, and the wallet cannot fill it up');
    expect(chain.sent).toHaveLength(2);
    chain.balance = 5_000n;
    await keeper.keep();
    expect(keeper.condition()).toMatchObject({ condition: 'ok', available: '6000' });
  });

  it('is not filled up twice where a node answers that has not seen the deposit yet', async () => {
    const keeper = keeperOf();
    chain.behind = 1;
    await keeper.keep();
    await keeper.keep();
    expect(chain.sent).toEqual(['approve', 'open']);
    chain.behind = 0;
    await keeper.keep();
    await spend(3_000n);
    await keeper.keep();
    chain.behind = 1;
    await keeper.keep();
    expect(chain.sent).toEqual(['approve', 'open', 'approve', 'topUp']);
    chain.behind = 0;
    await keeper.keep();
    expect(await channel()).toMatchObject({ deposit: 9_000n, refills: 2 });
  });

  it('that was stopped while a deposit was begun gets no more money, but sees through what was sent', async () => {
    await keeperOf().keep();
    await spend(3_000n);
    const { channelId = '0x' } = (await channel()) ?? {};
    await ledger.beginRefill({ channelId, amount: 5_000n });
    await ledger.changePurchaseChannel({ channelId, stopped: 'a receipt' });
    const keeper = keeperOf();
    await keeper.keep();
    expect(chain.sent).toEqual(['approve', 'open']);
    expect(keeper.condition()).toMatchObject({ condition: 'stopped', reason: 'a receipt' });

    await ledger.changePurchaseChannel({ channelId, stopped: null });
    chain.allowance = 100_000n;
    chain.crash = new AutoPayError('chain_unavailable', 'killed');
    await expect(keeper.keep()).rejects.toThrow('killed');
    await ledger.changePurchaseChannel({ channelId, stopped: 'a receipt' });
    await keeperOf().keep();
    expect(await channel()).toMatchObject({ refillAmount: null, deposit: 9_000n });
  });

  it('that is closed while a deposit was begun is replaced', async () => {
    await keeperOf().keep();
    await spend(3_000n);
    const { channelId = '0x' } = (await channel()) ?? {};
    await ledger.beginRefill({ channelId, amount: 5_000n });
    chain.finalized = true;
    await keeperOf().keep();
    expect(await channel()).toBeUndefined();
    chain.finalized = false;
    await keeperOf().keep();
    expect(chain.sent).toEqual(['approve', 'open', 'approve', 'open']);
  });

  it('without auto_refill, or stopped, is not filled up', async () => {
    const keeper = keeperOf(null);
    await keeper.keep();
    await spend(3_500n);
    await keeper.keep();
    expect(keeper.condition()).toMatchObject({ condition: 'low' });
    expect(messages()).toContain('warn: a channel with a provider is low, and has no auto_refill');
    const { channelId = '0x' } = (await channel()) ?? {};
    await ledger.changePurchaseChannel({ channelId, stopped: 'a receipt' });
    const other = keeperOf();
    await other.keep();
    expect(other.condition()).toMatchObject({ condition: 'stopped', reason: 'a receipt' });
    expect(chain.sent).toHaveLength(2);
  });

  it('whose close was asked for pays nothing more, and one that is closed is replaced', async () => {
    const keeper = keeperOf();
    await keeper.keep();
    chain.closeRequestedAt = 1n;
    await keeper.keep();
    expect((await channel())?.stopped).toContain('close was requested');
    chain.finalized = true;
    await keeper.keep();
    expect(await channel()).toBeUndefined();
    [chain.finalized, chain.closeRequestedAt] = [false, 0n];
    await keeper.keep();
    expect(await channel()).toMatchObject({ saltIndex: 1, deposit: 4_000n, stopped: null });
  });

  it('of which the seller took more than it was bought for pays nothing more', async () => {
    const keeper = keeperOf();
    await keeper.keep();
    await spend(300n);
    // What runs may be charged, and taken, before its receipt is here.
    chain.settled = 300n;
    await keeper.keep();
    expect(await channel()).toMatchObject({ stopped: null });
    chain.settled = 301n;
    await keeper.keep();
    expect((await channel())?.stopped).toContain('301 was taken');
    expect(keeper.condition()).toMatchObject({ condition: 'stopped' });
    expect(messages()).toContain('error: a provider took more of a channel than it was bought for');
  });

  it('takes no number under which the wallet has a channel already', async () => {
    const other = openPurchaseBooks();
    await keeperOf().keep();
    books.close();
    ({ books, ledger } = other);
    await keeperOf().keep();
    expect(await channel()).toMatchObject({ saltIndex: 1 });
  });
});
