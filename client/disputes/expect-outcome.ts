import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { larger, smaller } from '../../protocol/bytes/compare-amounts.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { asChainError } from '../chain/send-transaction.ts';
import type { Evidence } from './evidence-schema.ts';
import { readDisputeCost } from './open-dispute.ts';
import { readClaim } from './read-claim.ts';

/** What a dispute can be expected to move. Amounts are atomic units of `token`. */
export interface ExpectedOutcome {
  token: Hex;
  /** The most that the payer is refunded. */
  refund: bigint;
  /** What of it the channel has paid by now; the rest follows once the relay has collected it. */
  payableNow: bigint;
  /** What is burned of the relay's bond; 0 where the governance rules. */
  penalty: bigint;
  /** What the claimant puts up; 0 where the chain judges at once. */
  bond: bigint;
}

/**
 * What evidence is worth by the rules of BillingDisputes: half of the refund is burned, and not less than the token's least.
 * @throws AutoPayError `chain_unavailable`, `transaction_failed` if nothing can be disputed in this token.
 */
export async function expectOutcome(deployment: OpenDeployment, evidence: Evidence): Promise<ExpectedOutcome> {
  const { reader, contracts } = deployment;
  const { channelId, token, refund } = await readClaim(deployment, evidence);
  const { bond } = await readDisputeCost(deployment, { evidence, token });
  const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
  const escrow = { address: contracts.paymentChannels, abi: paymentChannelsAbi } as const;
  try {
    const [{ minPenalty }, refunded, { settled }] = await Promise.all([
      reader.readContract({ ...disputes, functionName: 'termsOf', args: [token] }),
      reader.readContract({ ...disputes, functionName: 'refundedOf', args: [channelId] }),
      reader.readContract({ ...escrow, functionName: 'getChannel', args: [channelId] }),
    ]);
    return {
      token,
      refund,
      payableNow: smaller(refund, settled - refunded),
      penalty: evidence.kind === 'metering' ? 0n : larger(refund / 2n, minPenalty),
      bond,
    };
  } catch (error) {
    throw asChainError(error, 'Reading the terms of disputes');
  }
}
