/**
 * Governance end to end on the real contracts: delegate → propose → vote → queue → execute changes a model's budget, a price
 * root, a provider's payout address, a relay's role, rules on a dispute, and releases an over-budget batch.
 */
import { strict as assert } from 'node:assert';
import { concat, EventLog, hexlify, id, Result, sha256, ZeroHash } from 'ethers';
import type { Contract } from 'ethers';
import { describe, it } from 'mocha';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { receiptBatchTypes } from '../../protocol/typed-data/receipt-batch.ts';
import { openChannel, packClaim } from '../support/channel-claims.ts';
import { deployInProcess, putUpBond, type DeployedSystem } from '../support/deploy-in-process.ts';

/** One call that the timelock is to make. */
interface Action {
  target: Contract;
  name: string;
  args: readonly unknown[];
}

const FOR = 1;
const day = 86_400;

/** Decoded values as arguments for another call: what ethers decodes is frozen, and what it encodes must not be. */
function plain(value: unknown): unknown {
  return value instanceof Result ? Array.from(value, plain) : value;
}

/** Takes actions through a whole vote of the payer, who holds all AGPT. */
async function decide(system: DeployedSystem, description: string, actions: readonly Action[]): Promise<void> {
  const { governor, timelock, payer, networkHelpers } = system;
  const { time } = networkHelpers;
  const proposal = [
    await Promise.all(actions.map(({ target }) => target.getAddress())),
    actions.map(() => 0n),
    actions.map(({ target, name, args }) => target.interface.encodeFunctionData(name, args)),
  ] as const;
  const asHolder = governor.connect(payer);
  await (await asHolder.getFunction('propose')(...proposal, description)).wait();
  const proposalId = await governor.getFunction('hashProposal')(...proposal, id(description));
  await time.increaseTo((await governor.getFunction('proposalSnapshot')(proposalId)) + 1n);
  await (await asHolder.getFunction('castVote')(proposalId, FOR)).wait();
  await time.increaseTo((await governor.getFunction('proposalDeadline')(proposalId)) + 1n);
  await (await governor.getFunction('queue')(...proposal, id(description))).wait();
  await assert.rejects(governor.getFunction('execute')(...proposal, id(description)), /TimelockUnexpectedOperation/);
  await time.increase(await timelock.getFunction('getMinDelay')());
  await (await governor.getFunction('execute')(...proposal, id(description))).wait();
}

async function startGovernance(): Promise<DeployedSystem> {
  const system = await deployInProcess();
  await putUpBond(system);
  await (await system.agpt.connect(system.payer).getFunction('delegate')(system.payer.address)).wait();
  await system.networkHelpers.time.increase(1);
  return system;
}

/** A receipt that the relay signed, as `BillingDisputes` takes it. */
async function signReceipt(system: DeployedSystem, charge: { channelId: string; amount: bigint }): Promise<unknown[]> {
  const { autoPayLLM, usdc, payer, relay, ethers, networkHelpers } = system;
  const nowMs = (await networkHelpers.time.latest()) * 1000;
  const entry = encodeReceipt({
    version: 1,
    callId: createCallId(),
    admittedAtMs: nowMs,
    chargedAtMs: nowMs,
    payer: payer.address as `0x${string}`,
    channelId: charge.channelId as `0x${string}`,
    sequence: 1,
    runningTotal: charge.amount,
    token: (await usdc.getAddress()) as `0x${string}`,
    amount: charge.amount,
    refundOwed: 0n,
    priceRoot: ZeroHash as `0x${string}`,
    oracleRound: 0n,
    usage: {
      ...{ prompt: 10, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0 },
      ...{ completion: 5, reasoning: 0, audioCompletion: 0 },
    },
    requestCommitment: ZeroHash as `0x${string}`,
    responseCommitment: ZeroHash as `0x${string}`,
    attemptsDigest: ZeroHash as `0x${string}`,
    evidenceTier: 'relay-signed',
    usageKind: 'exact',
    modelAsked: 'sim-small',
    modelServed: 'sim-small',
    provider: 'simulated',
    deployment: 'simulated@local',
  });
  const root = sha256(concat(['0x00', entry]));
  const batch = { root, size: 1, signedAtMs: nowMs };
  const domain = {
    ...{ name: 'AutoPayLLM', version: '1', verifyingContract: await autoPayLLM.getAddress() },
    chainId: (await ethers.provider.getNetwork()).chainId,
  };
  const types = { ReceiptBatch: [...receiptBatchTypes.ReceiptBatch] };
  const signature = await relay.signTypedData(domain, types, batch);
  return [hexlify(entry), Object.values(batch), 0, [], signature];
}

describe('governance, end to end', () => {
  it('changes a budget, a price root, a payout address and a relay, in one decision', async () => {
    const system = await startGovernance();
    const { modelBudgets, priceBook, autoPayLLM, relay, guardian, payer, networkHelpers } = system;
    const relayRole = await autoPayLLM.getFunction('RELAY_ROLE')();
    // Nobody but the timelock may: the holder of all votes neither.
    await assert.rejects(modelBudgets.connect(payer).getFunction('setModelBudget')('sim-small', 5n), /NotGovernance/);
    await assert.rejects(autoPayLLM.connect(payer).getFunction('setProvider')(id('simulated'), payer.address));

    await decide(system, 'less for sim-small, new prices, another payout, another relay', [
      { target: modelBudgets, name: 'setModelBudget', args: ['sim-small', 5n] },
      { target: priceBook, name: 'publishPriceRoot', args: [id('new table'), 0n] },
      { target: autoPayLLM, name: 'setProvider', args: [id('simulated'), guardian.address] },
      { target: autoPayLLM, name: 'revokeRole', args: [relayRole, relay.address] },
      { target: autoPayLLM, name: 'grantRole', args: [relayRole, guardian.address] },
    ]);

    const now = await networkHelpers.time.latest();
    const limitOf = (on: number): Promise<bigint> => modelBudgets.getFunction('limitOf')(id('sim-small'), on);
    const today = Math.floor(now / day);
    assert.equal(await limitOf(today), system.plan.defaultDailyLimit, 'today as before');
    assert.equal(await limitOf(today + 1), 5n, 'from tomorrow');
    assert.equal(await priceBook.getFunction('isInForce')(id('new table'), now), true);
    assert.equal(await autoPayLLM.getFunction('payoutOf')(id('simulated')), guardian.address);
    assert.equal(await autoPayLLM.getFunction('hasRole')(relayRole, relay.address), false);
    assert.equal(await autoPayLLM.getFunction('hasRole')(relayRole, guardian.address), true);
  });

  it('rules on a dispute and releases what was over budget', async () => {
    const system = await startGovernance();
    const { usdc, autoPayLLM, billingDisputes, auditLog, relay, payer, payout, networkHelpers } = system;
    const token = await usdc.getAddress();
    const balanceOf = async (address: string): Promise<bigint> => usdc.getFunction('balanceOf')(address);

    // A channel pays 2 USDC, of which 1.5 are booked to a day that is long over: over budget, so withheld.
    const salt = id('governed');
    const { channelId } = await openChannel(system, { salt, deposit: 5_000_000n });
    const claims = await packClaim(system, { channelId, salt, maximum: 2_000_000n, claimed: 2_000_000n });
    await (await autoPayLLM.connect(relay).getFunction('collect')(token, claims)).wait();
    const late = Math.floor((await networkHelpers.time.latest()) / day) - 3;
    const spends = [{ day: late, model: id('sim-small'), provider: id('simulated'), amount: 1_500_000n }];
    await (await autoPayLLM.connect(relay).getFunction('book')(token, spends, [], 1n)).wait();
    await (await auditLog.connect(relay).getFunction('anchor')(1n, id('root'), id('cid'))).wait();

    // The payer disputes half of a call.
    const receipt = await signReceipt(system, { channelId, amount: 1_000_000n });
    await (await usdc.getFunction('mint')(payer.address, 1_000_000n)).wait();
    await (await usdc.connect(payer).getFunction('approve')(await billingDisputes.getAddress(), 1_000_000n)).wait();
    await (await billingDisputes.connect(payer).getFunction('disputeMetering')(receipt, 500_000n)).wait();
    assert.equal((await autoPayLLM.getFunction('bondOf')(token)).frozen, 500_000n, 'frozen until the vote');
    const before = await balanceOf(payer.address);

    const onlyEvent = async (contract: Contract, name: string): Promise<Result> => {
      const [event, another] = await contract.queryFilter(name);
      assert(event instanceof EventLog && another === undefined);
      return event.args;
    };
    const booked = plain((await onlyEvent(autoPayLLM, 'Booked'))['spends']);
    const anchor = plain(await onlyEvent(auditLog, 'Anchored'));
    await decide(system, 'refund the half, release the rest', [
      { target: billingDisputes, name: 'rule', args: [1n, 400_000n] },
      { target: autoPayLLM, name: 'releaseOverBudget', args: [1n, booked, anchor] },
    ]);

    assert.equal((await balanceOf(payer.address)) - before, 1_400_000n, 'the ruling and the claimant’s bond');
    assert.equal((await autoPayLLM.getFunction('bondOf')(token)).frozen, 0n);
    const creditId = await autoPayLLM.getFunction('creditId')(token, id('simulated'), payout.address);
    await (await autoPayLLM.getFunction('withdrawCredits')(creditId)).wait();
    assert.equal(await balanceOf(payout.address), 1_500_000n, 'the provider is paid');
  });
});
