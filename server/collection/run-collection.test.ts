import { encodeFunctionData } from 'viem';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { toHex } from '../../protocol/bytes/hex.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack, type TestChannel } from '../../test/support/deploy-stack.ts';
import { createFaultInjector } from '../../test/support/inject-faults.ts';
import { openTestRelay, silentLog, type TestRelay } from '../../test/support/open-test-relay.ts';
import { sendAs } from '../../test/support/send-as.ts';
import { maxPendingBookings } from '../ledger/operations/finish-booking.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { runCollection } from './run-collection.ts';

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

async function open(): Promise<TestChannel> {
  const channel = await stack.openChannel({ deposit });
  await relay.addChannel(channel, deposit);
  return channel;
}

function charge(channel: TestChannel, amount: bigint, cumulativeAmount = amount, provider = 'simulated') {
  return chargeCall({ ledger: relay.ledger, channel, amount, cumulativeAmount, provider, token: stack.contracts.usdc });
}

/** What the contract holds, how much of it is unbooked, and how often it booked. */
async function moneyOnChain() {
  const balance = await relay.client.readContract({
    address: stack.contracts.usdc,
    abi: fiatTokenAbi,
    functionName: 'balanceOf',
    args: [stack.contracts.autoPayLLM],
  });
  const contract = { address: stack.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const [unbooked, batches] = await Promise.all([
    relay.client.readContract({ ...contract, functionName: 'unbooked', args: [stack.contracts.usdc] }),
    relay.client.readContract({ ...contract, functionName: 'batchCount' }),
  ]);
  return { balance, unbooked, batches };
}

describe('a collection run', () => {
  it('takes what was charged, not what was signed, and books it by day, model and provider', async () => {
    const before = await moneyOnChain();
    const [first, second] = [await open(), await open()];
    await charge(first, 100n, 4_000n);
    await charge(first, 50n, 5_000n);
    await charge(second, 7n, 7n);
    const result = await runCollection(relay.deps());
    expect(result.collected).toMatchObject([{ amount: '157', channels: 2, skipped: [] }]);
    expect(result.booked).toMatchObject([{ amount: '157' }]);
    expect(await moneyOnChain()).toEqual({
      balance: before.balance + 157n,
      unbooked: 0n,
      batches: before.batches + 1n,
    });
    const batch = await relay.client.readContract({
      address: stack.contracts.autoPayLLM,
      abi: autoPayLlmAbi,
      functionName: 'getBatch',
      args: [BigInt(result.booked[0]?.batchId ?? 0)],
    });
    expect(batch.logSize).toBe(3);
    const isNamed = await relay.client.readContract({
      address: stack.contracts.autoPayLLM,
      abi: autoPayLlmAbi,
      functionName: 'isNameRegistered',
      args: [nameId('sim-small')],
    });
    expect(isNamed).toBe(true);
    // What is collected stays collected.
    expect(await runCollection(relay.deps())).toEqual({ collected: [], booked: [], postponed: [], nothingToDo: true });
    // What comes later is taken by difference.
    await charge(first, 11n, 5_001n);
    expect((await runCollection(relay.deps())).collected).toMatchObject([{ amount: '11' }]);
  });

  it('collects once and books once, whichever step a crash hits', async () => {
    const warmUp = await open();
    await charge(warmUp, 1n);
    const counting = createFaultInjector();
    await runCollection(relay.deps(counting));
    expect(counting.steps).toEqual(
      expect.arrayContaining([
        'openCollection',
        'enqueueTransaction',
        'sendRawTransaction',
        'finishCollection',
        'finishBooking',
      ]),
    );

    const channel = await open();
    let cumulative = 0n;
    for (let at = 0; at < counting.steps.length; at += 1) {
      for (const moment of ['before', 'after'] as const) {
        const where = `${moment} step ${at}, ${counting.steps[at]}`;
        const before = await moneyOnChain();
        cumulative += 10n;
        await charge(channel, 10n, cumulative);
        const injector = createFaultInjector({ at, moment });
        await expect(runCollection(relay.deps(injector)), where).rejects.toThrow();
        expect(injector.steps[at], where).toBe(counting.steps[at]);
        await runCollection(relay.deps());
        const after = await moneyOnChain();
        expect(after, where).toEqual({ balance: before.balance + 10n, unbooked: 0n, batches: before.batches + 1n });
        expect(await relay.ledger.listPendingBookings(), where).toEqual([]);
        expect(await relay.ledger.listUnfinishedTransactions(stack.relay), where).toEqual([]);
      }
    }
  }, 120_000);

  it('keeps the charges of a skipped channel, and takes them later', async () => {
    const [good, bad] = [await open(), await open()];
    await charge(good, 5n);
    // The ledger believes in a deposit that the chain does not know yet.
    const known = await relay.ledger.getChannel(bad.channelId);
    if (known === undefined) throw new Error('the channel is not in the ledger');
    await relay.ledger.upsertChannel({ ...known, deposit: deposit * 2n });
    await charge(bad, 6n, deposit + 1n);
    const result = await runCollection(relay.deps());
    expect(result.collected).toMatchObject([{ amount: '5', channels: 2, skipped: [bad.channelId] }]);
    // Alone it would bring nothing: no gas is spent on it.
    const nonce = await relay.client.getTransactionCount({ address: stack.relay });
    expect((await runCollection(relay.deps())).collected).toEqual([]);
    expect(await relay.client.getTransactionCount({ address: stack.relay })).toBe(nonce);
    await topUp(bad);
    expect((await runCollection(relay.deps())).collected).toMatchObject([{ amount: '6', skipped: [] }]);
  });

  it('collects although a booking is refused, and books the others', async () => {
    const [paid, stranger] = [await open(), await open()];
    await charge(stranger, 3n, 3n, 'nobody');
    const refused = /AutoPayLLM_ProviderUnknown/;
    await expect(runCollection(relay.deps())).rejects.toThrow(refused);
    await charge(paid, 4n);
    const before = await moneyOnChain();
    await expect(runCollection(relay.deps())).rejects.toThrow(refused);
    const after = await moneyOnChain();
    expect(after.batches).toBe(before.batches + 1n);
    expect(await relay.ledger.listPendingBookings()).toMatchObject([{ spends: [{ provider: 'nobody', amount: 3n }] }]);
  });

  it('collects all the same while the bond is too small, books what it covers, says so once, and the rest later, in order', async () => {
    const warnings: object[] = [];
    const deps = { ...relay.deps(), log: { ...silentLog, warn: (facts: object) => warnings.push(facts) } };
    const { usdc } = stack.contracts;
    const [large, small] = [await open(), await open()];
    const today = Math.floor(Date.now() / 86_400_000);
    await chargeCall({
      ...{ ledger: relay.ledger, channel: large, amount: 10n, token: usdc },
      admittedAtMs: (today - 3) * 86_400_000,
    });
    await charge(large, 900n, 1_000n);
    const { amount, frozen } = await bond();
    const held = amount - frozen - (await unreleased()) - 700n;
    await freeze(held);
    const { batches, unbooked } = await moneyOnChain();
    // What the bond covers is booked, oldest first; the 10 over budget take no bond.
    const short = { token: usdc, missingBond: '200' };
    expect(await runCollection(deps)).toMatchObject({
      collected: [{ amount: '910' }],
      booked: [],
      postponed: [{ ...short, bookings: 1 }],
    });
    expect(await moneyOnChain()).toMatchObject({ unbooked: unbooked + 210n, batches: batches + 1n });
    // It would fit, and waits its turn.
    await charge(small, 5n);
    expect(await runCollection(deps)).toMatchObject({
      collected: [{ amount: '5' }],
      booked: [],
      postponed: [{ ...short, bookings: 2 }],
    });
    await freeze(-held);
    const overBudget = [{ day: today - 3, model: 'sim-small', provider: 'simulated', amount: '10' }];
    expect(await runCollection(deps)).toMatchObject({
      collected: [],
      booked: [{ amount: '700', overBudget }, { amount: '210', overBudget: [] }, { amount: '5' }],
      postponed: [],
    });
    expect(await moneyOnChain()).toMatchObject({ unbooked, batches: batches + 3n });
    // Each is told once, though every run came by the part that was booked.
    expect(warnings).toEqual([{ batchId: String(batches + 1n), ...overBudget[0] }, short]);
  });

  it('tells the log of what a budget did not cover, and what releases it', async () => {
    const warnings: [object, string][] = [];
    const log = { ...silentLog, warn: (facts: object, message: string) => warnings.push([facts, message]) };
    const channel = await open();
    const today = Math.floor(Date.now() / 86_400_000);
    await charge(channel, 7n);
    // Booked later than the day after: over budget, whatever its budget was.
    await chargeCall({
      ...{ ledger: relay.ledger, channel, amount: 11n, cumulativeAmount: 100n, token: stack.contracts.usdc },
      admittedAtMs: (today - 3) * 86_400_000,
    });
    const { booked } = await runCollection({ ...relay.deps(), log });
    const withheld = { day: today - 3, model: 'sim-small', provider: 'simulated', amount: '11' };
    expect(booked).toMatchObject([{ amount: '18', overBudget: [withheld] }]);
    const batchId = booked[0]?.batchId;
    expect(warnings).toEqual([
      [{ batchId, ...withheld }, expect.stringContaining(`autopay gov propose release-over-budget ${batchId}`)],
    ]);
  });

  it('books behind more unbookable collections than are listed at a time', async () => {
    const channel = await open();
    for (let index = 1n; index <= BigInt(maxPendingBookings); index += 1n) {
      await charge(channel, 1n, index, 'nobody');
      const { id = 0 } = (await relay.ledger.openCollection({ maxClaims: 1 })) ?? {};
      // What the chain knows of it does not matter: booking it is refused.
      await relay.ledger.finishCollection({ id, transactionHash: toHex(Buffer.alloc(32, id)), skipped: [] });
    }
    const paid = await open();
    await charge(paid, 4n);
    const before = await moneyOnChain();
    await expect(runCollection(relay.deps())).rejects.toThrow(/AutoPayLLM_ProviderUnknown/);
    expect((await moneyOnChain()).batches).toBe(before.batches + 1n);
    expect(await relay.ledger.listPendingBookings()).toHaveLength(maxPendingBookings);
  });
});

function bond() {
  const { autoPayLLM, usdc } = stack.contracts;
  const contract = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
  return relay.client.readContract({ ...contract, functionName: 'bondOf', args: [usdc] });
}

function unreleased() {
  const { autoPayLLM, usdc } = stack.contracts;
  const contract = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
  return relay.client.readContract({ ...contract, functionName: 'unreleased', args: [usdc] });
}

/** Disputes hold this much more of the bond, or less. */
function freeze(amount: bigint): Promise<void> {
  const { autoPayLLM, billingDisputes, usdc } = stack.contracts;
  const functionName = amount > 0n ? 'freezeBond' : 'thawBond';
  const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName, args: [usdc, amount > 0n ? amount : -amount] });
  return sendAs(stack.chain, { from: billingDisputes, to: autoPayLLM, data });
}

async function topUp(channel: TestChannel): Promise<void> {
  await stack.approve(deposit);
  await stack.sendAsPayer({ functionName: 'topUp', args: [channel.channelId, deposit] });
}
