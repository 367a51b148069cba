import { encodeFunctionData } from 'viem';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toSignedReceiptStruct } from '../../client/disputes/build-evidence.ts';
import type { Evidence } from '../../client/disputes/evidence-schema.ts';
import { encodeDispute } from '../../client/disputes/open-dispute.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { disputeStates } from '../../protocol/disputes/dispute-kinds.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack, type TestChannel } from '../../test/support/deploy-stack.ts';
import { openTestRelay, type TestRelay } from '../../test/support/open-test-relay.ts';
import { sendAs } from '../../test/support/send-as.ts';
import { runAnchoring } from '../audit/run-anchoring.ts';
import { runCollection } from '../collection/run-collection.ts';
import type { ChargeResult } from '../ledger/ledger.ts';
import { createDisputeWatcher, type DisputeWatcher } from './watch-disputes.ts';

const hourSeconds = 3_600;
let stack: ChainStack;
let relay: TestRelay;
let said: { level: string; message: string; facts: object }[];
let watcher: DisputeWatcher;
/** Every test has books of its own, so it needs an empty log on the chain too. */
let snapshot: unknown;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  snapshot = await stack.chain.request('evm_snapshot', []);
  relay = await openTestRelay(stack);
  said = [];
  watcher = watch();
});
afterEach(async () => {
  await relay.close();
  await stack.chain.request('evm_revert', [snapshot]);
});

/** A watcher as a relay with these books starts it. */
function watch(): DisputeWatcher {
  const { client, ledger, queue } = relay;
  const { auditLog, billingDisputes } = stack.contracts;
  const say = (level: string) => (facts: object, message: string) => void said.push({ level, message, facts });
  return createDisputeWatcher({
    ...{ client, ledger, queue, auditLog, billingDisputes, tree: relay.tree },
    anchor: () => anchor(),
    log: { info: say('info'), warn: say('warn'), error: say('error') },
  });
}

const anchor = () => runAnchoring(relay.deps());
const errors = () => said.filter(({ level }) => level === 'error');

/** Charges a new channel once for each amount; the log gets as many entries. */
async function charge(amounts: readonly bigint[]): Promise<{ channel: TestChannel; charges: ChargeResult[] }> {
  const deposit = 10_000n;
  const channel = await stack.openChannel({ deposit });
  await relay.addChannel(channel, deposit);
  const charges: ChargeResult[] = [];
  let cumulativeAmount = 0n;
  for (const amount of amounts) {
    cumulativeAmount += amount;
    const call = { ledger: relay.ledger, channel, token: stack.contracts.usdc, cumulativeAmount };
    charges.push(await chargeCall({ ...call, amount }));
  }
  return { channel, charges };
}

const structOf = ({ receipt, signedReceipt }: ChargeResult) =>
  toSignedReceiptStruct({
    ...{ callId: receipt.callId, receipt: signedReceipt, channelId: receipt.channelId },
  });

/** The payer puts up its bond, and opens a dispute. */
async function dispute(evidence: Evidence): Promise<bigint> {
  const { billingDisputes, usdc } = stack.contracts;
  const approve = { abi: fiatTokenAbi, functionName: 'approve', args: [billingDisputes, 100_000_000n] } as const;
  await sendAs(stack.chain, { from: stack.payer, to: usdc, data: encodeFunctionData(approve) });
  await sendAs(stack.chain, { from: stack.payer, to: billingDisputes, data: encodeDispute(evidence) });
  return relay.client.readContract({
    ...{ address: billingDisputes, abi: billingDisputesAbi },
    functionName: 'disputeCount',
  });
}

async function stateOf(id: bigint): Promise<string | undefined> {
  const { state } = await relay.client.readContract({
    ...{ address: stack.contracts.billingDisputes, abi: billingDisputesAbi },
    ...{ functionName: 'getDispute', args: [id] },
  });
  return disputeStates[state];
}

async function pass(hours: number): Promise<void> {
  await stack.chain.request('evm_increaseTime', [hours * hourSeconds]);
  await stack.chain.mine(1);
}

describe('a dispute watcher', () => {
  it('accounts for what was settled, to a payer that shows no receipt, by the newest anchored charge', async () => {
    const { channel } = await charge([30n, 50n]);
    await charge([1n, 2n, 3n]);
    await anchor();
    await runCollection(relay.deps());
    const { channelId } = channel;
    const id = await dispute({ kind: 'settled-beyond-receipt', channelId, last: null });
    await watcher.poll();
    expect(await stateOf(id)).toBe('answered');
    expect(await relay.ledger.getTransaction(`answer:${id}`)).toMatchObject({ status: 'succeeded' });
    expect(watcher.state()).toEqual({ open: [], openCount: 0 });
    await watcher.poll();
    expect(said.map(({ level, facts }) => [level, facts])).toEqual([
      ['warn', expect.objectContaining({ kind: 'settled-beyond-receipt', channelId, amount: '80' })],
      ['info', { disputeId: Number(id), state: 'answered' }],
    ]);
  });

  it('anchors the log first where the charge that answers is in no anchor yet', async () => {
    await charge([5n]);
    await anchor();
    const { channel, charges } = await charge([30n, 50n]);
    await runCollection(relay.deps());
    const last = charges[0] === undefined ? null : structOf(charges[0]);
    const id = await dispute({ kind: 'settled-beyond-receipt', channelId: channel.channelId, last });
    expect(await relay.ledger.anchoredSize()).toBe(1);
    await watcher.poll();
    expect(await stateOf(id)).toBe('answered');
    expect(await relay.ledger.anchoredSize()).toBe(3);
    expect(errors()).toEqual([]);
  });

  it('shows the very entry of a receipt, under an anchor from before the challenge', async () => {
    await charge([1n, 2n, 3n]);
    await anchor();
    const { charges } = await charge([30n, 50n, 70n]);
    await anchor();
    await charge([4n]);
    await pass(25);
    const [, disputed] = charges;
    if (disputed === undefined) throw new Error('no charge');
    const id = await dispute({ kind: 'not-in-log', receipt: structOf(disputed) });
    await anchor();
    await watcher.poll();
    expect(await stateOf(id)).toBe('answered');
    expect(errors()).toEqual([]);
  });

  it('says once what it cannot answer, and shows it until it has ended', async () => {
    const { channel, charges } = await charge([30n]);
    const { channelId } = channel;
    await pass(25);
    const [disputed] = charges;
    if (disputed === undefined) throw new Error('no charge');
    const id = await dispute({ kind: 'not-in-log', receipt: structOf(disputed) });
    await watcher.poll();
    await watcher.poll();
    const late = 'log entry 0 is in no anchor yet';
    const shown = { id: String(id), kind: 'not-in-log', channelId, token: stack.contracts.usdc, amount: '30' };
    expect(watcher.state()).toMatchObject({ open: [{ ...shown, missing: late }], openCount: 1 });
    const facts = { disputeId: Number(id), deadline: expect.stringMatching(/Z$/), missing: late };
    expect(errors()).toEqual([expect.objectContaining({ facts: expect.objectContaining(facts) })]);

    await anchor();
    await watcher.poll();
    expect(watcher.state().open[0]?.missing).toMatch(
      /^log entry 0 was anchored at \d+ only, not before the challenge$/,
    );
    await pass(25);
    const restarted = watch();
    await restarted.poll();
    expect(restarted.state()).toMatchObject({ open: [{ ...shown, missing: 'the time to answer is over' }] });
    const data = encodeFunctionData({ abi: billingDisputesAbi, functionName: 'upholdChallenge', args: [id] });
    await sendAs(stack.chain, { from: stack.payer, to: stack.contracts.billingDisputes, data });
    await restarted.poll();
    expect(restarted.state()).toEqual({ open: [], openCount: 0 });
    expect(said.at(-1)).toMatchObject({ level: 'warn', facts: { disputeId: Number(id), state: 'upheld' } });
    expect(await relay.ledger.getTransaction(`answer:${id}`)).toBeUndefined();
  });

  it('says so where the books know nothing of what was settled', async () => {
    const { channel } = await charge([30n]);
    await runCollection(relay.deps());
    await relay.close();
    relay = await openTestRelay(stack);
    watcher = watch();
    const id = await dispute({ kind: 'settled-beyond-receipt', channelId: channel.channelId, last: null });
    await watcher.poll();
    const missing = 'the ledger has no charge of this channel after 0 with a running total of 30';
    expect(watcher.state().open).toMatchObject([{ id: String(id), missing }]);
  });

  it('only tells of a metering dispute, which the Governor rules on', async () => {
    const { charges } = await charge([30n]);
    await runCollection(relay.deps());
    const [disputed] = charges;
    if (disputed === undefined) throw new Error('no charge');
    const id = await dispute({ kind: 'metering', receipt: structOf(disputed), amount: 20n });
    await watcher.poll();
    await watcher.poll();
    const metering = watcher.state().open.find((open) => open.id === String(id));
    expect(metering).toMatchObject({ kind: 'metering', amount: '20', missing: null });
    expect(said.filter(({ facts }) => 'kind' in facts && facts.kind === 'metering')).toHaveLength(1);
    expect(await stateOf(id)).toBe('open');
  });
});
