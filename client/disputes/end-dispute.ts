import { encodeFunctionData, type TransactionReceipt } from 'viem';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import type { Sender } from '../chain/send-transaction.ts';
import type { TokenUnit } from '../token-amount.ts';

/** What anybody may do with a dispute once its time is over, or the relay's bond was filled up. */
export type DisputeEnding = 'upholdChallenge' | 'expire' | 'payOutstanding';

const subjects: Readonly<Record<DisputeEnding, string>> = {
  upholdChallenge: 'Upholding the challenge',
  expire: 'Ending the dispute',
  payOutstanding: 'Paying what is outstanding',
};

/**
 * Ends a dispute, or pays what an ended one left outstanding.
 * @param options.unit the dispute's token, in which errors are told.
 * @throws AutoPayError `transaction_failed` if it is too early, or the dispute is of another kind or state.
 */
export function endDispute(
  { contracts }: OpenDeployment,
  sender: Sender,
  { functionName, disputeId, unit }: { functionName: DisputeEnding; disputeId: bigint; unit: TokenUnit },
): Promise<TransactionReceipt> {
  const data = encodeFunctionData({ abi: billingDisputesAbi, functionName, args: [disputeId] });
  return sender.send(subjects[functionName], { to: contracts.billingDisputes, data, unit });
}
