import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack, type TestChannel } from '../../test/support/deploy-stack.ts';
import { createFaultInjector } from '../../test/support/inject-faults.ts';
import { openTestRelay, type TestRelay } from '../../test/support/open-test-relay.ts';
import type { Collection } from '../ledger/background-ledger.ts';
import { runCollection, settleCollection } from './run-collection.ts';

let stack: ChainStack;
let relay: TestRelay;
const deposit = 10_000n;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  relay = await openTestRelay(stack);
});
afterEach(() => relay.close());

/** A channel that was charged 100 of 4,000 that are signed, and whose payer asks for its close. */
async function beginClosing(): Promise<{ channel: TestChannel; closing: Collection }> {
  const channel = await stack.openChannel({ deposit });
  await relay.addChannel(channel, deposit);
  const token = stack.contracts.usdc;
  await chargeCall({
    ledger: relay.ledger,
    channel,
    amount: 100n,
    cumulativeAmount: 4_000n,
    provider: 'simulated',
    token,
  });
  const { channelId } = channel;
  const closing = await relay.ledger.openClosing({ channelId, voucher: null, nowMs: Date.now() });
  if (closing === 'collecting') throw new Error('an ordinary collection is open');
  return { channel, closing };
}

function onChain({ channelId }: TestChannel) {
  const { paymentChannels: address } = stack.contracts;
  return relay.client.readContract({ address, abi: paymentChannelsAbi, functionName: 'getChannel', args: [channelId] });
}

describe('a collection that closes a channel', () => {
  it('takes what was charged, gives the rest back, and is booked', async () => {
    const { channel, closing } = await beginClosing();
    const [one, other] = await Promise.all([
      settleCollection(relay.deps(), closing),
      settleCollection(relay.deps(), closing),
    ]);
    expect(one).toMatchObject({ amount: '100', skipped: [], closed: [channel.channelId] });
    expect(other?.transactionHash).toBe(one?.transactionHash);
    expect(await onChain(channel)).toMatchObject({ settled: 100n, deposit, finalized: true });
    expect(await relay.ledger.getChannel(channel.channelId)).toMatchObject({ settled: 100n, finalized: true });
    expect(await runCollection(relay.deps())).toMatchObject({ collected: [], booked: [{ amount: '100' }] });
  });

  it('closes once and books once, whichever step a crash hits', async () => {
    const counting = createFaultInjector();
    await beginClosing();
    await runCollection(relay.deps(counting));
    for (let at = 0; at < counting.steps.length; at += 1) {
      for (const moment of ['before', 'after'] as const) {
        const where = `${moment} step ${at}, ${counting.steps[at]}`;
        const { channel } = await beginClosing();
        const crash = createFaultInjector({ at, moment });
        const first = await runCollection(relay.deps(crash)).catch(() => undefined);
        const second = await runCollection(relay.deps());
        const runs = [first, second].flatMap((run) => run?.booked ?? []);
        expect(await onChain(channel), where).toMatchObject({ settled: 100n, finalized: true });
        expect(await relay.ledger.listPendingBookings(), where).toEqual([]);
        expect(runs.length, where).toBeLessThanOrEqual(1);
        const unused = await relay.ledger.findClosing(channel.channelId);
        expect(unused, where).toMatch(/^0x/);
      }
    }
  }, 120_000);
});
