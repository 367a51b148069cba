import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { openTestRelay, silentLog, type TestRelay } from '../../test/support/open-test-relay.ts';
import { runCollection } from '../collection/run-collection.ts';
import { createChannelReader } from './create-channel-reader.ts';
import type { Finality } from './finality.ts';
import type { JobLog } from './job-log.ts';
import { createChannelWatcher, type ChannelWatcher } from './watch-channels.ts';

let stack: ChainStack;
let relay: TestRelay;
let closing: Hex[];
const deposit = 1_000n;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  relay = await openTestRelay(stack);
  closing = [];
});
afterEach(() => relay.close());

function watch(
  overrides: {
    tokens?: Hex[];
    maxBlocksPerQuery?: number;
    reorgMarginBlocks?: number;
    finality?: Finality;
    log?: JobLog;
  } = {},
): ChannelWatcher {
  const { contracts, chain } = stack;
  const { client, ledger } = relay;
  const escrow = {
    client,
    paymentChannels: contracts.paymentChannels,
    payee: contracts.autoPayLLM,
    deployedAtBlock: contracts.deployedAtBlock,
    reorgMarginBlocks: 12,
    maxBlocksPerQuery: 10_000,
    finality: overrides.finality ?? { kind: 'blocks' as const, count: 0 },
  };
  const findSalt = async (channelId: Hex) => (await ledger.getChannel(channelId))?.salt;
  const reader = createChannelReader({ ...escrow, chainId: chain.chainId, findSalt });
  return createChannelWatcher({
    ...escrow,
    tokens: [contracts.usdc],
    ledger,
    reader,
    log: silentLog,
    onCloseRequested: (id) => closing.push(id),
    ...overrides,
  });
}

describe('a channel watcher', () => {
  it('follows a channel through its life, and passes over those of other payees', async () => {
    const watcher = watch();
    const channel = await stack.openChannel({ deposit });
    const foreign = await stack.openChannel({ deposit, payee: stack.relay });
    await watcher.poll();
    const { channelId } = channel;
    expect(await relay.ledger.getChannel(channelId)).toMatchObject({ deposit, salt: channel.salt, settled: 0n });
    expect(await relay.ledger.getChannel(foreign.channelId)).toBeUndefined();

    await stack.approve(deposit);
    await stack.sendAsPayer({ functionName: 'topUp', args: [channelId, deposit] });
    await watcher.poll();
    expect(await relay.ledger.getChannel(channelId)).toMatchObject({ deposit: 2n * deposit });

    await stack.sendAsPayer({ functionName: 'requestClose', args: [channelId] });
    await watcher.poll();
    expect(closing).toEqual([channelId]);
    expect((await relay.ledger.getChannel(channelId))?.closeRequestedAt).toBeGreaterThan(0);
    await watcher.poll();
    expect(closing).toEqual([channelId]);

    await stack.chain.request('evm_increaseTime', [3_600]);
    await stack.sendAsPayer({ functionName: 'withdraw', args: [channelId] });
    await watcher.poll();
    expect(await relay.ledger.getChannel(channelId)).toMatchObject({ finalized: true });
  });

  it('passes over channels of other tokens, and keeps following those that the ledger has', async () => {
    const before = await stack.openChannel({ deposit });
    await watch().poll();
    // The tokens of the configuration change.
    const watcher = watch({ tokens: [stack.contracts.autoPayLLM] });
    const after = await stack.openChannel({ deposit });
    await stack.sendAsPayer({ functionName: 'requestClose', args: [before.channelId] });
    await watcher.poll();
    expect(await relay.ledger.getChannel(after.channelId)).toBeUndefined();
    expect((await relay.ledger.getChannel(before.channelId))?.closeRequestedAt).toBeGreaterThan(0);
    expect(closing).toEqual([before.channelId]);
  });

  it('sees what a batch settled, though only one event tells of it', async () => {
    const channel = await stack.openChannel({ deposit });
    await watch().poll();
    await chargeCall({ ledger: relay.ledger, channel, amount: 40n, token: stack.contracts.usdc });
    await runCollection(relay.deps());
    // Other books, which know nothing of that collection.
    await relay.close();
    relay = await openTestRelay(stack);
    await watch().poll();
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ settled: 40n });
  });

  it('sees what a batch closed, though only one event tells of it', async () => {
    const channel = await stack.openChannel({ deposit });
    await watch().poll();
    await chargeCall({ ledger: relay.ledger, channel, amount: 40n, token: stack.contracts.usdc });
    await relay.ledger.openClosing({ channelId: channel.channelId, voucher: null, nowMs: Date.now() });
    await runCollection(relay.deps());
    await relay.close();
    relay = await openTestRelay(stack);
    await watch().poll();
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ settled: 40n, finalized: true });
  });

  it('continues where an earlier process stopped, block by block if it must', async () => {
    await watch().poll();
    const stored = Number(await relay.ledger.getState('watch_channels.next_block'));
    const channel = await stack.openChannel({ deposit });
    await stack.chain.mine(40);
    await watch({ maxBlocksPerQuery: 13 }).poll();
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ deposit });
    expect(Number(await relay.ledger.getState('watch_channels.next_block'))).toBeGreaterThan(stored + 40);
  });

  it('records a deposit once it is deep enough, though no event tells of that', async () => {
    const watcher = watch({ finality: { kind: 'blocks', count: 3 } });
    const { channelId } = await stack.openChannel({ deposit });
    const recorded = async () => (await relay.ledger.getChannel(channelId))?.deposit;
    await watcher.poll();
    expect(await recorded()).toBe(0n);
    await stack.chain.mine(2);
    await watcher.poll();
    expect(await recorded()).toBe(0n);
    await stack.chain.mine(1);
    await watcher.poll();
    expect(await recorded()).toBe(deposit);
    await stack.approve(deposit);
    await stack.sendAsPayer({ functionName: 'topUp', args: [channelId, deposit] });
    await watcher.poll();
    expect(await recorded()).toBe(deposit);
    // A close is seen at once: what it means must not wait.
    await stack.sendAsPayer({ functionName: 'requestClose', args: [channelId] });
    await watcher.poll();
    // This watcher reads the whole chain, and the closes of other tests with it.
    expect(closing).toContain(channelId);
    await stack.chain.mine(2);
    await watcher.poll();
    expect(await recorded()).toBe(2n * deposit);
  });

  it('says what a reorganisation puts at risk, and the ledger sells nothing more on it', async () => {
    const told: object[] = [];
    const watcher = watch({ log: { ...silentLog, error: (facts) => told.push(facts) } });
    const before = await stack.chain.request('evm_snapshot');
    const channel = await stack.openChannel({ deposit });
    const { channelId } = channel;
    await watcher.poll();
    await chargeCall({ ledger: relay.ledger, channel, amount: 40n, token: stack.contracts.usdc });
    await stack.chain.request('evm_revert', [before]);
    await stack.chain.mine(5);
    await watcher.poll();
    expect(told).toEqual([
      { channelId, payer: stack.payer, depositBefore: String(deposit), deposit: '0', atRisk: '40' },
    ]);
    expect(relay.ledger.recallChannel(channelId)).toMatchObject({ deposit: 0n, charged: 40n });
    const call = { ledger: relay.ledger, channel, amount: 10n, token: stack.contracts.usdc };
    const more = chargeCall({ ...call, cumulativeAmount: 90n });
    await expect(more).rejects.toThrow('amount_exceeds_deposit');
    await watcher.poll();
    expect(told).toHaveLength(1);
  });

  it('takes back what a reorganisation undid, and sees it come again', async () => {
    const watcher = watch();
    const before = await stack.chain.request('evm_snapshot');
    const channel = await stack.openChannel({ deposit });
    await watcher.poll();
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ deposit });
    await stack.chain.request('evm_revert', [before]);
    // The chain is shorter than it was when the channel was read: that counts once it has grown past it.
    await watcher.poll();
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ deposit });
    await stack.chain.mine(3);
    await watcher.poll();
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ deposit: 0n });
    const again = await stack.openChannel({ deposit, salt: channel.salt });
    expect(again.channelId).toBe(channel.channelId);
    await watcher.poll();
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ deposit });
  });
});
