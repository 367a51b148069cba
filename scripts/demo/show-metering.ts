import { proposeRuling } from '../../client/governance/build-proposal.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { USDC } from './demo-settings.ts';
import { autopay, moving, newestDispute, passDeadline, type DisputeScene } from './dispute-scene.ts';
import { delegateVotes } from './open-voter.ts';
import { passProposal } from './pass-proposal.ts';

/** Receipts of calls whose metering the payer disputes. */
export interface MeteredCalls {
  /** Governance rules on it. */
  ruled: CallReceipt;
  /** Nobody does. */
  unruled: CallReceipt;
}

/** Metering: no machine can tell, so the amount is held in the relay's bond until governance rules. */
export async function showMetering(scene: DisputeScene, { ruled, unruled }: MeteredCalls): Promise<void> {
  const { demo, voter, terms } = scene;
  const { claimantBond } = terms;
  const open = async (callId: string, amount: bigint): Promise<void> => {
    const [whole = ''] = formatAmount(amount, USDC).split(' ');
    await moving(scene, { payer: -claimantBond, claimantBonds: claimantBond, held: amount }, () =>
      autopay(scene, 'dispute', 'open', 'metering', callId, '--amount', whole, '--yes'),
    );
  };

  const claimed = ruled.amount;
  await demo.step("metering: the amount is held in the relay's bond", () => open(ruled.callId, claimed));
  const { id } = await newestDispute(scene, 'open');
  // The vote gives half of what was claimed.
  const refund = claimed / 2n;
  await delegateVotes(demo, voter);
  const [whole = ''] = formatAmount(refund, USDC).split(' ');
  const changes = { payer: refund + claimantBond, relayBond: -refund, claimantBonds: -claimantBond, held: -claimed };
  await moving(scene, changes, async () => passProposal(demo, voter, await proposeRuling(voter.deployment, id, whole)));
  await demo.step('ruled: refund without a penalty, because nobody has proven intent', async () => {
    await newestDispute(scene, 'upheld');
    await autopay(scene, 'dispute', 'status', String(id));
  });

  await demo.step('metering: another, on which nobody rules', () => open(unruled.callId, unruled.amount));
  await demo.step('fourteen days later each side has its own again', async () => {
    const dispute = await newestDispute(scene, 'open');
    await passDeadline(scene, dispute);
    const back = { payer: claimantBond, claimantBonds: -claimantBond, held: -unruled.amount };
    await moving(scene, back, () => autopay(scene, 'dispute', 'expire', String(dispute.id), '--yes'));
    await newestDispute(scene, 'expired');
  });
}
