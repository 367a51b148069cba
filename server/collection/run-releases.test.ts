import { encodeFunctionData } from 'viem';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack, type TestChannel } from '../../test/support/deploy-stack.ts';
import { createFaultInjector, type FaultInjector } from '../../test/support/inject-faults.ts';
import { openTestRelay, type TestRelay } from '../../test/support/open-test-relay.ts';
import { sendAs } from '../../test/support/send-as.ts';
import { runAnchoring } from '../audit/run-anchoring.ts';
import type { TransactionQueue } from '../chain/send-queued-transactions.ts';
import { runCollection } from './run-collection.ts';
import { runReleases, type ReleaseDeps } from './run-releases.ts';

const disputeWindowSeconds = 3_600;
const payout: Hex = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';
const guardian: Hex = `0x${'6a'.repeat(20)}`;
const stranger: Hex = `0x${'57'.repeat(20)}`;

let stack: ChainStack;
let relay: TestRelay;
let channel: TestChannel;
let snapshot: unknown;
let charged: bigint;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
// Each test starts with an empty AuditLog and no batches.
beforeEach(async () => {
  snapshot = await stack.chain.request('evm_snapshot');
  relay = await openTestRelay(stack);
  charged = 0n;
  channel = await stack.openChannel({ deposit: 10_000n });
  await relay.addChannel(channel, 10_000n);
});
afterEach(async () => {
  await relay.close();
  await stack.chain.request('evm_revert', [snapshot]);
});

function deps(options: { injector?: FaultInjector; maxBlocksPerQuery?: number } = {}): ReleaseDeps {
  const { injector, maxBlocksPerQuery = 10_000 } = options;
  const { contracts } = stack;
  return { ...relay.deps(injector), contracts, deployedAtBlock: contracts.deployedAtBlock, maxBlocksPerQuery };
}

/** Charges a call, and collects and books it; gives its batch. */
async function book(amount: bigint, admittedAtMs = Date.now()): Promise<string> {
  charged += amount;
  const { usdc: token } = stack.contracts;
  await chargeCall({ ledger: relay.ledger, channel, amount, cumulativeAmount: charged, token, admittedAtMs });
  const { booked } = await runCollection(relay.deps());
  if (booked[0] === undefined) throw new Error('nothing was booked');
  return booked[0].batchId;
}

const anchor = () => runAnchoring(relay.deps());

async function passTime(seconds: number): Promise<void> {
  await stack.chain.request('evm_increaseTime', [seconds]);
  await stack.chain.request('evm_mine');
}

/** What the provider may withdraw, and what the bond has to cover. */
async function money() {
  const { autoPayLLM, usdc } = stack.contracts;
  const contract = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
  const args = [usdc, nameId('simulated'), payout] as const;
  const id = await relay.client.readContract({ ...contract, functionName: 'creditId', args });
  const [credit, unreleased] = await Promise.all([
    relay.client.readContract({ ...contract, functionName: 'getCredit', args: [id] }),
    relay.client.readContract({ ...contract, functionName: 'unreleased', args: [usdc] }),
  ]);
  return { credit: credit.amount, unreleased };
}

/** Sends AutoPayLLM a transaction of an account whose key this test has not. */
function sendTo(from: Hex, data: Hex): Promise<void> {
  return sendAs(stack.chain, { from, to: stack.contracts.autoPayLLM, data });
}

const nothing = { released: [], waiting: 0, nothingToDo: true };

describe('a release run', () => {
  it('turns a booking into credits once its anchor is as old as the dispute window, and not before', async () => {
    expect(await runReleases(deps())).toEqual(nothing);
    const batchId = await book(120n);
    // The booking is old enough, and its anchor is not there.
    await passTime(disputeWindowSeconds);
    expect(await runReleases(deps())).toEqual({ ...nothing, waiting: 1 });
    await anchor();
    expect(await runReleases(deps())).toEqual({ ...nothing, waiting: 1 });
    expect(await money()).toEqual({ credit: 0n, unreleased: 120n });
    await passTime(disputeWindowSeconds);
    const transactionHash: unknown = expect.stringMatching(/^0x/);
    expect(await runReleases(deps())).toEqual({
      released: [{ batchId, transactionHash, amount: '120' }],
      waiting: 0,
    });
    expect(await money()).toEqual({ credit: 120n, unreleased: 0n });
    expect(await runReleases(deps())).toEqual(nothing);
  });

  it('releases in order what is old enough, finds bookings far apart, and leaves the young', async () => {
    const first = await book(10n);
    await anchor();
    await stack.chain.mine(20);
    const second = await book(20n);
    await anchor();
    await passTime(disputeWindowSeconds);
    const third = await book(30n);
    await anchor();
    // A query over so few blocks cannot show them both.
    const run = await runReleases(deps({ maxBlocksPerQuery: 5 }));
    expect(run.released).toMatchObject([
      { batchId: first, amount: '10' },
      { batchId: second, amount: '20' },
    ]);
    expect(await money()).toEqual({ credit: 30n, unreleased: 30n });
    await passTime(disputeWindowSeconds);
    expect((await runReleases(deps())).released).toMatchObject([{ batchId: third, amount: '30' }]);
  });

  it('lets a later booking pass one that waits for its anchor', async () => {
    const { autoPayLLM, usdc } = stack.contracts;
    charged += 70n;
    await chargeCall({ ledger: relay.ledger, channel, amount: 70n, cumulativeAmount: charged, token: usdc });
    // Another relay's booking, over a log that this one has not.
    const spend = { day: 1, model: nameId('sim-small'), provider: nameId('simulated'), amount: 0n };
    const today = Math.floor(Date.now() / 86_400_000);
    const args = [usdc, [{ ...spend, day: today }], [], 1_000n] as const;
    await sendAs(stack.chain, {
      from: stack.relay,
      to: autoPayLLM,
      data: encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'book', args }),
    });
    const { booked } = await runCollection(relay.deps());
    await anchor();
    await passTime(disputeWindowSeconds);
    expect(await runReleases(deps())).toMatchObject({ released: [{ batchId: booked[0]?.batchId }], waiting: 1 });
    expect(await runReleases(deps())).toEqual({ ...nothing, waiting: 1 });
  });

  it('passes over what someone else released, and sends nothing for what is over budget', async () => {
    const today = Math.floor(Date.now() / 86_400_000);
    await book(11n, (today - 3) * 86_400_000);
    const batchId = await book(10n);
    await anchor();
    await passTime(disputeWindowSeconds);
    const sent: string[] = [];
    const racing: TransactionQueue = {
      ...relay.queue,
      async send(request) {
        sent.push(request.purpose);
        await sendTo(stranger, request.data);
        return relay.queue.send(request);
      },
    };
    expect(await runReleases({ ...deps(), queue: racing })).toEqual(nothing);
    expect(sent).toEqual([`release:${batchId}`]);
    expect(await money()).toEqual({ credit: 10n, unreleased: 0n });
    // As a ledger that was made anew would, from the first batch on.
    const { ledger } = relay;
    const forgetful: ReleaseDeps['ledger'] = {
      findAnchorOf: (index) => ledger.findAnchorOf(index),
      setState: (key, value) => ledger.setState(key, value),
      getState: () => Promise.resolve(undefined),
    };
    expect(await runReleases({ ...deps(), ledger: forgetful, queue: racing })).toEqual(nothing);
    expect(sent).toHaveLength(1);
  });

  it('waits while the guardian has frozen releases', async () => {
    const batchId = await book(10n);
    await anchor();
    await passTime(disputeWindowSeconds);
    const { timelock, autoPayLLM } = stack.contracts;
    const contract = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
    const role = await relay.client.readContract({ ...contract, functionName: 'GUARDIAN_ROLE' });
    const grant = { abi: autoPayLlmAbi, functionName: 'grantRole', args: [role, guardian] } as const;
    await sendTo(timelock, encodeFunctionData(grant));
    await sendTo(guardian, encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'freeze', args: [7_200n] }));
    const frozenUntil = Number(await relay.client.readContract({ ...contract, functionName: 'frozenUntil' }));
    expect(await runReleases(deps())).toEqual({ ...nothing, frozenUntil });
    expect(await money()).toEqual({ credit: 0n, unreleased: 10n });
    await passTime(7_200);
    expect((await runReleases(deps())).released).toMatchObject([{ batchId }]);
  });

  it('releases each booking once, whichever step a crash hits', async () => {
    await book(10n);
    await anchor();
    await passTime(disputeWindowSeconds);
    const counting = createFaultInjector();
    await runReleases(deps({ injector: counting }));
    expect(counting.steps).toEqual(
      expect.arrayContaining(['enqueueTransaction', 'sendRawTransaction', 'finishTransaction', 'setState']),
    );
    let credit = 10n;
    for (let at = 0; at < counting.steps.length; at += 1) {
      for (const moment of ['before', 'after'] as const) {
        const where = `${moment} step ${at}, ${counting.steps[at]}`;
        await book(10n);
        await anchor();
        await passTime(disputeWindowSeconds);
        const injector = createFaultInjector({ at, moment });
        await expect(runReleases(deps({ injector })), where).rejects.toThrow();
        await runReleases(deps());
        credit += 10n;
        expect(await money(), where).toEqual({ credit, unreleased: 0n });
        await relay.queue.resume();
        expect(await relay.ledger.listUnfinishedTransactions(stack.relay), where).toEqual([]);
      }
    }
    const events = await relay.client.getContractEvents({
      address: stack.contracts.autoPayLLM,
      abi: autoPayLlmAbi,
      eventName: 'Released',
      fromBlock: BigInt(stack.contracts.deployedAtBlock),
      strict: true,
    });
    const batches = events.map((event) => event.args.batchId);
    expect(batches).toEqual(Array.from(batches, (_, index) => BigInt(index + 1)));
  }, 120_000);
});
