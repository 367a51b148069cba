import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createChannelManager, type ChannelManager } from './channel-manager.ts';
import type { WalletChain } from './open-channel.ts';
import { doubleTerms } from './testing/relay-double.ts';
import { walletKey } from './testing/seed-wallet.ts';
import type { TokenLimits } from './wallet-limits.ts';
import { openWalletState } from './wallet-state.ts';

/** A double of the chain with one channel. The real one is met in test/e2e. */
class ChainDouble implements Pick<WalletChain, 'readChannel' | 'openChannel' | 'topUpChannel' | 'balanceOf'> {
  channel: { deposit: bigint; settled: bigint; isClosing: boolean } | undefined;
  toppedUp: bigint[] = [];
  balance = 1_000_000n;
  failure: Error | undefined;
  async readChannel() {
    return this.channel;
  }
  async openChannel({ deposit }: { deposit: bigint }) {
    this.channel = { deposit, settled: 0n, isClosing: false };
  }
  async topUpChannel({ amount }: { channelId: Hex; amount: bigint }) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (amount > this.balance) throw new AutoPayError('transaction_failed', `the wallet holds ${this.balance}`);
    this.balance -= amount;
    this.toppedUp.push(amount);
    if (this.channel) this.channel = { ...this.channel, deposit: this.channel.deposit + amount };
    if (this.failure) throw this.failure;
  }
  async balanceOf() {
    return this.balance;
  }
}

let stateDir: string;
let chain: ChainDouble;
let limits: TokenLimits;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-top-up-'));
  chain = new ChainDouble();
  limits = { perDeposit: 1_000n };
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

function manager(more: { chain?: undefined } = {}): ChannelManager {
  return createChannelManager({
    relayUrl: 'http://127.0.0.1:4000',
    terms: doubleTerms,
    state: openWalletState(stateDir),
    stateDir,
    privateKey: walletKey,
    chain,
    maxCallAmount: undefined,
    limits: () => Promise.resolve(limits),
    onWarning: () => undefined,
    ...more,
  });
}
const size = 500n;
const dear = { quote: 300n, minimum: 300n };

describe('a channel whose deposit runs out', () => {
  it('is topped up, and the call goes on', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit: 200n });
    const { voucher } = await one.authorize(channel, dear, size);
    expect(voucher.cumulativeAmount).toBe(300n);
    expect(chain.toppedUp).toEqual([500n]);
    expect(await one.current()).toMatchObject({ channelId: channel.channelId, deposit: 700n, lastSigned: 300n });
  });

  it('is topped up once, however many calls need it, in one process or in several', async () => {
    const managers = [manager(), manager()];
    const channel = await managers[0]!.ensure({ deposit: 200n });
    const calls = Array.from({ length: 10 }, (_, index) =>
      managers[index % 2]!.authorize(channel, { quote: 50n, minimum: 50n }, size),
    );
    const tickets = await Promise.all(calls);
    expect(new Set(tickets.map(({ voucher }) => voucher.cumulativeAmount)).size).toBe(10);
    expect(chain.toppedUp).toEqual([500n]);
  });

  it('gets what the call needs where that is more, up to the limit and to the atomic unit', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit: 200n });
    await one.authorize(channel, { quote: 1_200n, minimum: 1_200n }, size);
    expect(chain.toppedUp).toEqual([1_000n]);
    const over = one.authorize(channel, { quote: 1_001n, minimum: 1_001n }, size);
    await expect(over).rejects.toMatchObject({
      code: 'wallet_limit_exceeded',
      facts: { limit: 'perDeposit', limitAmount: '1000' },
    });
    expect(chain.toppedUp).toHaveLength(1);
  });

  it('gets what the wallet has left, if that suffices; else nothing', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit: 200n });
    chain.balance = 150n;
    await one.authorize(channel, dear, size);
    expect(chain.toppedUp).toEqual([150n]);
    await expect(one.authorize(channel, dear, size)).rejects.toMatchObject({ code: 'transaction_failed' });
  });

  it('is not topped up twice where the transaction arrived though this wallet did not see it', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit: 200n });
    chain.failure = new AutoPayError('chain_unavailable', 'cut off');
    await expect(one.authorize(channel, dear, size)).rejects.toMatchObject({ code: 'chain_unavailable' });
    chain.failure = undefined;
    const restarted = manager();
    await restarted.authorize(channel, dear, size);
    expect(chain.toppedUp).toEqual([500n]);
    expect((await restarted.current())?.deposit).toBe(700n);
  });

  it('stays as it is where the owner has set no limit for a deposit, or there is no chain', async () => {
    const channel = await manager().ensure({ deposit: 200n });
    await expect(manager({ chain: undefined }).authorize(channel, dear, size)).rejects.toMatchObject({
      code: 'amount_exceeds_deposit',
    });
    limits = {};
    await expect(manager().authorize(channel, dear, size)).rejects.toMatchObject({ code: 'amount_exceeds_deposit' });
    expect(chain.toppedUp).toEqual([]);
  });

  it('takes no deposit any more once it is closing', async () => {
    const channel = await manager().ensure({ deposit: 200n });
    chain.channel = { deposit: 200n, settled: 0n, isClosing: true };
    await expect(manager().authorize(channel, dear, size)).rejects.toMatchObject({ code: 'channel_closing' });
    expect(chain.toppedUp).toEqual([]);
  });
});

describe('a first deposit', () => {
  it('is refused above the limit, before anything is sent', async () => {
    await expect(manager().ensure({ deposit: 1_001n })).rejects.toMatchObject({ code: 'wallet_limit_exceeded' });
    expect(chain.channel).toBeUndefined();
    limits = { perDeposit: 1_001n };
    expect(await manager().ensure({ deposit: 1_001n })).toMatchObject({ deposit: 1_001n, status: 'open' });
  });
});

describe('the channel of the API keys', () => {
  it('is one of its own, which calls are not paid from; its voucher is over all that was put in', async () => {
    const one = manager();
    const first = await one.fundKeys(300n);
    expect(first.cumulativeAmount).toBe(300n);
    expect(await one.current()).toBeUndefined();
    // The money arrived, and the process ended before the voucher was posted.
    chain.failure = new AutoPayError('chain_unavailable', 'cut off');
    await expect(manager().fundKeys(100n)).rejects.toMatchObject({ code: 'chain_unavailable' });
    chain.failure = undefined;
    const second = await manager().fundKeys(50n);
    expect(second).toMatchObject({ channelId: first.channelId, cumulativeAmount: 450n });
    await expect(manager().fundKeys(1_001n)).rejects.toMatchObject({ code: 'wallet_limit_exceeded' });
  });

  it('and one that is closed are passed over by the next call', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit: 200n });
    await one.markClosed(channel.channelId);
    expect(await one.current()).toBeUndefined();
    expect((await one.closed()).map(({ channelId }) => channelId)).toEqual([channel.channelId]);
    chain.channel = undefined;
    const next = await one.ensure({ deposit: 200n });
    expect(next.channelId).not.toBe(channel.channelId);
  });
});
