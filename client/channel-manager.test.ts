import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { fromHex, zeroAddress } from '../protocol/bytes/hex.ts';
import { recoverSigner } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { computeChannelId } from '../protocol/typed-data/channel-id.ts';
import { voucherDigest, voucherDomainSeparator } from '../protocol/typed-data/voucher.ts';
import { createChannelManager, type ChannelManager } from './channel-manager.ts';
import type { WalletChain } from './open-channel.ts';
import { doubleTerms } from './testing/relay-double.ts';
import { walletAddress, walletKey } from './testing/seed-wallet.ts';
import type { TokenLimits } from './wallet-limits.ts';
import { openWalletState } from './wallet-state.ts';

/** A double of the chain: a map of channels. The real one is met in test/e2e. */
class ChainDouble implements Pick<WalletChain, 'readChannel' | 'openChannel' | 'topUpChannel' | 'balanceOf'> {
  channels = new Map<Hex, { deposit: bigint; settled: bigint; isClosing: boolean }>();
  opened: { deposit: bigint; salt: Hex; channelId: Hex }[] = [];
  toppedUp: bigint[] = [];
  failure: Error | undefined;
  async readChannel(channelId: Hex) {
    return this.channels.get(channelId);
  }
  async openChannel(options: { deposit: bigint; salt: Hex; channelId: Hex }) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (this.failure) throw this.failure;
    this.opened.push(options);
    this.channels.set(options.channelId, { deposit: options.deposit, settled: 0n, isClosing: false });
  }
  // Topping up is tested in top-up-channel.test.ts.
  async topUpChannel() {
    throw new Error('these tests top nothing up');
  }
  async balanceOf() {
    return 0n;
  }
}

let stateDir: string;
let chain: ChainDouble;
let warnings: string[];
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-manager-'));
  chain = new ChainDouble();
  warnings = [];
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

function manager(
  more: { chain?: undefined; maxCallAmount?: bigint; relayUrl?: string; limits?: () => Promise<TokenLimits> } = {},
): ChannelManager {
  return createChannelManager({
    relayUrl: 'http://127.0.0.1:4000',
    terms: doubleTerms,
    state: openWalletState(stateDir),
    stateDir,
    privateKey: walletKey,
    chain,
    maxCallAmount: undefined,
    limits: () => Promise.resolve({}),
    onWarning: (message) => warnings.push(message),
    ...more,
  });
}

const deposit = 1_000n;

describe('opening', () => {
  it('happens once, however many ask, in one process or in several', async () => {
    const managers = [manager(), manager()];
    const channels = await Promise.all(managers.flatMap((one) => [one.ensure({ deposit }), one.ensure({ deposit })]));
    expect(new Set(channels.map(({ channelId }) => channelId)).size).toBe(1);
    expect(chain.opened).toHaveLength(1);
    const { escrow, payee, chainId, token } = doubleTerms;
    const salt = chain.opened[0]?.salt ?? '0x';
    const identity = {
      payer: walletAddress,
      payee,
      token: token.address,
      salt,
      authorizedSigner: zeroAddress,
      escrow,
      chainId,
    };
    expect(channels[0]?.channelId).toBe(computeChannelId(identity));
    // What the relay may not change behind this channel's back.
    const { priceOracle, priceBook, keyRegistry } = doubleTerms;
    expect(channels[0]).toMatchObject({ priceOracle, priceBook, keyRegistry, tokenDecimals: token.decimals });
  });

  it('is taken up again after a failure, with the same channel', async () => {
    chain.failure = new AutoPayError('transaction_failed', 'no money');
    await expect(manager().ensure({ deposit })).rejects.toMatchObject({ code: 'transaction_failed' });
    expect(await manager().current()).toBeUndefined();
    chain.failure = undefined;
    const channel = await manager().ensure({ deposit: 2_000n });
    expect(channel).toMatchObject({ saltIndex: 0, deposit: 2_000n, status: 'open', recovered: false });
  });

  it('is not repeated where the transaction arrived though this wallet did not see it', async () => {
    chain.failure = new AutoPayError('chain_unavailable', 'cut off');
    await expect(manager().ensure({ deposit })).rejects.toThrow();
    const saved = JSON.parse(await readFile(join(stateDir, 'channels.json'), 'utf8')) as {
      channels: { channelId: Hex }[];
    };
    chain.channels.set(saved.channels[0]!.channelId, { deposit, settled: 0n, isClosing: false });
    chain.failure = undefined;
    expect(await manager().ensure({ deposit })).toMatchObject({ status: 'open', recovered: false });
    expect(chain.opened).toHaveLength(0);
  });

  it('needs a chain', async () => {
    await expect(manager({ chain: undefined }).ensure({ deposit })).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('makes another channel only when asked to', async () => {
    const one = manager();
    const first = await one.ensure({ deposit });
    const second = await one.ensure({ deposit: 5n, isAnother: true });
    expect(second.channelId).not.toBe(first.channelId);
    expect((await one.ensure({ deposit })).channelId).toBe(second.channelId);
  });
});

describe('lost state', () => {
  it('is replaced by what the chain knows, past channels that are closing', async () => {
    const first = await manager().ensure({ deposit });
    const second = await manager().ensure({ deposit: 700n, isAnother: true });
    chain.channels.set(first.channelId, { deposit, settled: 0n, isClosing: true });
    chain.channels.set(second.channelId, { deposit: 700n, settled: 30n, isClosing: false });
    await rm(join(stateDir, 'channels.json'));
    const found = await manager().ensure({ deposit });
    expect(found).toMatchObject({
      channelId: second.channelId,
      deposit: 700n,
      spent: 30n,
      lastSigned: 30n,
      recovered: true,
    });
    expect(warnings.join()).toContain('its local state was lost');
    expect(chain.opened).toHaveLength(2);
  });
});

describe('vouchers', () => {
  it('cover what is spent, what is in flight and the call, and are signed by the payer', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit });
    const tickets = await Promise.all([1, 2, 3].map(() => one.authorize(channel, { quote: 100n, minimum: 100n })));
    const amounts = tickets.map(({ voucher }) => Number(voucher.cumulativeAmount));
    expect(amounts.toSorted((a, b) => a - b)).toEqual([100, 200, 300]);
    for (const ticket of tickets) ticket.release();
    tickets[0]?.release();
    expect((await one.authorize(channel, { quote: 100n, minimum: 100n })).voucher.cumulativeAmount).toBe(301n);
    const { voucher } = tickets[2]!;
    const separator = voucherDomainSeparator({ chainId: doubleTerms.chainId, verifyingContract: doubleTerms.escrow });
    expect(recoverSigner(voucherDigest(separator, voucher), fromHex(voucher.signature))).toBe(walletAddress);
  });

  it('differ between processes that share the folder', async () => {
    const managers = [manager(), manager()];
    const channel = await managers[0]!.ensure({ deposit: 100_000n });
    const tickets = await Promise.all(
      Array.from({ length: 40 }, (_, index) => managers[index % 2]!.authorize(channel, { quote: 10n, minimum: 10n })),
    );
    expect(new Set(tickets.map(({ voucher }) => voucher.cumulativeAmount)).size).toBe(40);
  });

  it('end with the deposit, and a refused one changes nothing', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit });
    await expect(one.authorize(channel, { quote: 1_001n, minimum: 1_001n })).rejects.toMatchObject({
      code: 'amount_exceeds_deposit',
    });
    const ticket = await one.authorize(channel, { quote: 5_000n, minimum: 900n });
    expect(ticket).toMatchObject({ quote: 1_000n, voucher: { cumulativeAmount: 1_000n } });
    await expect(one.authorize(channel, { quote: 1n, minimum: 1n })).rejects.toMatchObject({
      code: 'amount_exceeds_deposit',
    });
    ticket.release();
    expect((await one.authorize(channel, { quote: 1n, minimum: 1n })).voucher.cumulativeAmount).toBe(999n);
  });

  it.each([
    ['more spent than signed', { requiredCumulative: 150n, acceptedCumulative: 100n, spent: 101n }],
    ['more accepted than signed', { requiredCumulative: 150n, acceptedCumulative: 101n, spent: 0n }],
    ['more needed than signed and quoted', { requiredCumulative: 151n, acceptedCumulative: 100n, spent: 100n }],
    ['the deposit needed', { requiredCumulative: deposit, acceptedCumulative: undefined, spent: undefined }],
  ])('are not raised for a claim that cannot be: %s', async (_name, claims) => {
    // No limit of the owner's: the wallet's own numbers suffice.
    const one = manager();
    const channel = await one.ensure({ deposit });
    (await one.authorize(channel, { quote: 100n, minimum: 100n })).release();
    await expect(one.authorize(channel, { quote: 50n, minimum: 50n, claims })).rejects.toMatchObject({
      code: 'verification_failed',
    });
    expect((await one.current())?.lastSigned).toBe(100n);
  });

  it('are raised to what the relay may truly need', async () => {
    const one = manager();
    const channel = await one.ensure({ deposit });
    (await one.authorize(channel, { quote: 100n, minimum: 100n })).release();
    const claims = { requiredCumulative: 150n, acceptedCumulative: 100n, spent: 100n };
    const { voucher } = await one.authorize(channel, { quote: 50n, minimum: 50n, claims });
    expect(voucher.cumulativeAmount).toBe(150n);
  });

  it.each([
    ['above one limit', { requiredCumulative: 600n, acceptedCumulative: 500n, spent: 0n }, 'spending_limit_reached'],
    [
      'above the deposit',
      { requiredCumulative: 1_100n, acceptedCumulative: 500n, spent: 0n },
      'amount_exceeds_deposit',
    ],
  ])('are not raised for claims %s, even where the state was lost', async (_name, claims, code) => {
    const one = manager({ maxCallAmount: 200n });
    await one.ensure({ deposit });
    await rm(join(stateDir, 'channels.json'));
    const found = await one.ensure({ deposit });
    expect(found.recovered).toBe(true);
    await expect(one.authorize(found, { quote: 100n, minimum: 100n, claims })).rejects.toMatchObject({ code });
    expect((await one.current())?.lastSigned).toBe(0n);
  });

  it('are not signed for a relay whose contracts changed', async () => {
    const channel = await manager().ensure({ deposit });
    const file = join(stateDir, 'channels.json');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(channel.payee, `0x${'77'.repeat(20)}`));
    await expect(manager().current()).rejects.toMatchObject({ code: 'challenge_invalid' });
  });
});
