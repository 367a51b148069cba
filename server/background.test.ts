import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCallId } from '../protocol/receipt/call-id.ts';
import { chargeCall, localBudget } from '../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../test/support/deploy-stack.ts';
import { openTestRelay, type TestRelay } from '../test/support/open-test-relay.ts';
import { startSwitchedProxy } from '../test/support/start-switched-proxy.ts';
import { createBlockStore } from './audit/block-store.ts';
import { auditSchema } from './config/schema/audit-section.ts';
import { createBackground, type Background } from './background.ts';

let stack: ChainStack;
let relay: TestRelay;
let background: Background;
let errors: string[];

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  relay = await openTestRelay(stack);
  errors = [];
  background = backgroundOf(stack.chain.rpcUrl);
});
afterEach(async () => {
  await background.stop();
  await relay.close();
});

/** Intervals of an hour: what happens within a test was asked for, or was caused by an event. */
function backgroundOf(rpcUrl: string): Background {
  const { contracts, chain, relayKey } = stack;
  return createBackground({
    config: {
      chain: {
        ...{ id: chain.chainId, rpcUrl, deployedAtBlock: contracts.deployedAtBlock },
        ...{ reorgMarginBlocks: 512, maxBlocksPerQuery: 10_000, maxHeadAgeSeconds: 120 },
        finality: { kind: 'blocks', count: 0 },
        transactions: { maxFeePerGas: 10n ** 11n, replaceAfterMs: 30_000, maxUnmined: 32 },
      },
      contracts,
      tokens: [{ symbol: 'USDC', address: contracts.usdc }],
      routes: [],
      budgets: { maxStalenessSeconds: 60 },
      collection: { intervalSeconds: 3_600, maxClaims: 100 },
      audit: auditSchema.parse({ intervalSeconds: 3_600 }),
      disputes: { intervalSeconds: 3_600 },
    },
    ledger: relay.ledger,
    relayKey,
    blocks: createBlockStore(join(relay.dataDir, 'blocks')),
    tree: relay.tree,
    log: {
      info: () => undefined,
      warn: () => undefined,
      error: (facts, message) => errors.push(`${message} ${JSON.stringify(facts)}`),
    },
    watchIntervalMs: 50,
    sweepIntervalMs: 50,
    closingIntervalMs: 50,
  });
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen`);
    await sleep(30);
  }
}

describe('the background', () => {
  it('runs its jobs on demand, with results in JSON', async () => {
    const channel = await stack.openChannel({ deposit: 100n });
    await relay.addChannel(channel, 100n);
    await chargeCall({ ledger: relay.ledger, channel, amount: 12n, token: stack.contracts.usdc });
    const [collected, again] = await Promise.all([background.runJob('collect'), background.runJob('collect')]);
    expect(JSON.parse(JSON.stringify(collected))).toMatchObject({
      collected: [{ transactionHash: expect.stringMatching(/^0x/), amount: '12', channels: 1, skipped: [] }],
      booked: [{ batchId: expect.stringMatching(/^\d+$/), amount: '12' }],
    });
    expect(again).toEqual({ collected: [], booked: [], postponed: [], nothingToDo: true });
    const anchored = await background.runJob('anchor');
    expect(JSON.parse(JSON.stringify(anchored))).toMatchObject({
      size: 1,
      root: expect.stringMatching(/^0x/),
      cid: expect.stringMatching(/^baf/),
    });
    // The dispute window has only begun.
    expect(await background.runJob('release')).toEqual({ released: [], waiting: 0, nothingToDo: true });
    expect(errors).toEqual([]);
  });

  it('learns of channels by itself, and collects as soon as a payer wants to close', async () => {
    background.start();
    const channel = await stack.openChannel({ deposit: 100n });
    const { channelId } = channel;
    await until('the watcher saw the channel', async () => (await relay.ledger.getChannel(channelId)) !== undefined);
    await chargeCall({ ledger: relay.ledger, channel, amount: 12n, token: stack.contracts.usdc });
    await stack.sendAsPayer({ functionName: 'requestClose', args: [channelId] });
    await until('the collection', async () => (await background.channelReader.readChannel(channelId))?.settled === 12n);
    expect(errors).toEqual([]);
  });

  it('collects what a closing channel comes to owe later, long before the next ordinary collection', async () => {
    background.start();
    const channel = await stack.openChannel({ deposit: 100n });
    const { channelId } = channel;
    await until('the watcher saw the channel', async () => (await relay.ledger.getChannel(channelId)) !== undefined);
    await background.runJob('collect');
    await chargeCall({ ledger: relay.ledger, channel, amount: 12n, token: stack.contracts.usdc });
    const known = await relay.ledger.getChannel(channelId);
    if (known === undefined) throw new Error('the channel is not in the ledger');
    // Only the books say so: no event starts a collection.
    await relay.ledger.upsertChannel({ ...known, closeRequestedAt: Math.floor(Date.now() / 1_000) });
    await until('the collection', async () => (await background.channelReader.readChannel(channelId))?.settled === 12n);
    expect(errors).toEqual([]);
  });

  it('sees a close that was asked for while the chain was away, collects before the payer may withdraw, and warns when it is late', async () => {
    const proxy = await startSwitchedProxy(stack.chain.rpcUrl);
    const cut = backgroundOf(proxy.url);
    try {
      cut.start();
      const channel = await stack.openChannel({ deposit: 100n });
      const { channelId } = channel;
      await until('the watcher saw the channel', async () => (await relay.ledger.getChannel(channelId)) !== undefined);
      await chargeCall({ ledger: relay.ledger, channel, amount: 12n, token: stack.contracts.usdc });
      proxy.isOn = false;
      await until('the outage is felt', async () => errors.some((error) => error.includes('chain_unavailable')));
      await stack.sendAsPayer({ functionName: 'requestClose', args: [channelId] });
      const known = await relay.ledger.getChannel(channelId);
      if (known === undefined) throw new Error('the channel is not in the ledger');
      // Half of the hour of grace goes by.
      await relay.ledger.upsertChannel({ ...known, closeRequestedAt: Math.floor(Date.now() / 1_000) - 1_801 });
      await until('a warning', async () => errors.some((error) => error.includes('may soon withdraw')));
      proxy.isOn = true;
      const settled = async () => (await background.channelReader.readChannel(channelId))?.settled;
      await until('the collection', async () => (await settled()) === 12n);
      await stack.chain.request('evm_increaseTime', [3_600]);
      await stack.sendAsPayer({ functionName: 'withdraw', args: [channelId] });
      expect(await settled()).toBe(12n);
    } finally {
      await cut.stop();
      await proxy.stop();
    }
  }, 60_000);

  it('frees reservations whose lease has ended', async () => {
    const channel = await stack.openChannel({ deposit: 100n });
    await relay.addChannel(channel, 100n);
    const voucher = { channelId: channel.channelId, cumulativeAmount: 50n, signature: channel.sign(50n) };
    const now = Date.now();
    const outcome = await relay.ledger.reserve({
      ...{
        callId: createCallId(),
        funds: { kind: 'voucher', voucher },
        scopes: [],
        idempotency: null,
        maxUnsettled: null,
        keyId: null,
        quote: 50n,
        model: 'sim-small',
        budget: localBudget(now),
      },
      token: stack.contracts.usdc,
      ...{ admittedAtMs: now, leaseUntilMs: now - 1 },
    });
    if (!outcome.ok) throw new Error(outcome.refusal.code);
    await outcome.durable;
    background.start();
    await until('the sweep', async () => (await relay.ledger.getChannel(channel.channelId))?.reserved === 0n);
  });

  it('knows budgets and bond once it has read them', async () => {
    const ask = { model: 'sim-small', token: stack.contracts.usdc, atMs: Date.now() };
    expect(() => background.budgets.terms(ask)).toThrow(expect.objectContaining({ code: 'budgets_unknown' }));
    expect(background.bond()).toEqual({});
    await background.readBudgets();
    expect(background.budgets.terms(ask)).toEqual(localBudget(ask.atMs));
    background.start();
    await until('the bond was read', async () => background.bond()['USDC']?.amount === '500000000');
    expect(errors).toEqual([]);
  });

  it('survives a chain that is away, and says so', async () => {
    const alone = backgroundOf('http://127.0.0.1:1');
    alone.start();
    await until('an error in the log', async () => errors.some((error) => error.includes('chain_unavailable')));
    await expect(alone.runJob('collect')).resolves.toMatchObject({ nothingToDo: true });
    await alone.stop();
  });
});
