import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import {
  autopay,
  moving,
  newestDispute,
  passDeadline,
  penaltyOf,
  waitUntil,
  type DisputeScene,
} from './dispute-scene.ts';
import { advanceTime } from './move-time.ts';
import { runAutopay } from './run-autopay.ts';

/** Receipts of calls whose entries the payer asks for. */
export interface ChallengedCalls {
  /** It stands in the anchored log. */
  logged: CallReceipt;
  /** The relay never anchored it. */
  hidden: CallReceipt;
}

/** Challenge: the relay has a day to show the anchored receipt. */
export async function showChallenges(scene: DisputeScene, { logged, hidden }: ChallengedCalls): Promise<void> {
  const { demo, terms, voter } = scene;
  const { claimantBond } = terms;
  await demo.step('let the time go by in which a receipt must get into the log', async () => {
    const { reader, contracts } = voter.deployment;
    const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
    const delay = await reader.readContract({ ...disputes, functionName: 'maxMergeDelay' });
    // A receipt's time is of the relay's clock, which the chain's may be behind.
    const readyAt = Math.ceil(hidden.chargedAtMs / 1_000) + Number(delay);
    await advanceTime(voter.rpcUrl, readyAt - (await voter.deployment.now()) + 1);
    demo.say(`   ${Number(delay) / 60} minutes later on the chain`);
  });

  await demo.step('challenge: a false accusation; the running relay answers, and the accuser pays', async () => {
    await moving(scene, { payer: -claimantBond, relayBond: claimantBond }, async () => {
      await autopay(scene, 'dispute', 'open', 'not-in-log', logged.callId, '--yes');
      await waitUntil(scene, "the relay's answer", async () => newestDispute(scene, 'answered').catch(() => undefined));
      await autopay(scene, 'dispute', 'status', String((await newestDispute(scene, 'answered')).id));
    });
  });

  const penalty = penaltyOf(scene, hidden.amount);
  await demo.step('challenge: a true one; the relay has no answer', async () => {
    const held = hidden.amount + penalty;
    await moving(scene, { payer: -claimantBond, claimantBonds: claimantBond, held }, () =>
      autopay(scene, 'dispute', 'open', 'not-in-log', hidden.callId, '--yes'),
    );
    const { id } = await newestDispute(scene, 'open');
    const missing = await waitUntil(scene, "the relay's notice", () => readMissing(scene, id));
    demo.say(`   GET /healthz of the relay: dispute ${id} is not answered: ${missing}`);
    await runAutopay(demo, scene.stack, ['dispute', 'uphold', String(id), '--yes'], { fails: true });
  });
  await demo.step('a day later anybody upholds it: refund and penalty', async () => {
    const dispute = await newestDispute(scene, 'open');
    await passDeadline(scene, dispute);
    const taken = hidden.amount + penalty;
    const back = { claimantBonds: -claimantBond, held: -taken };
    await moving(scene, { ...back, payer: hidden.amount + claimantBond, relayBond: -taken, burned: penalty }, () =>
      autopay(scene, 'dispute', 'uphold', String(dispute.id), '--yes'),
    );
    await newestDispute(scene, 'upheld');
  });
}

/** Why the relay does not answer a dispute, as it says itself. */
async function readMissing({ stack }: DisputeScene, id: bigint): Promise<string | undefined> {
  const response = await fetch(`${stack.relayUrl}/healthz`, { signal: AbortSignal.timeout(10_000) });
  const { disputes } = (await response.json()) as { disputes: { open: { id: string; missing: string | null }[] } };
  return disputes.open.find((open) => open.id === String(id))?.missing ?? undefined;
}
