import { BaseError, encodeFunctionData, parseEventLogs } from 'viem';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isRevertOf } from '../chain/explain-revert.ts';
import { asChainError, type Sender } from '../chain/send-transaction.ts';
import { unitOfToken, type OpenDeployment } from '../chain/open-deployment.ts';
import { formatShort, type TokenUnit } from '../token-amount.ts';
import { noReceipt, type Evidence } from './evidence-schema.ts';

/** The kinds that a claimant puts up a bond for; the others are judged at once, and cost gas only. */
const bondedKinds: ReadonlySet<Evidence['kind']> = new Set(['settled-beyond-receipt', 'not-in-log', 'metering']);

/** The contracts that judge evidence: an error of theirs is about it, and not about the claimant's bond. */
const judges = ['BillingDisputes', 'AutoPayLLM', 'PaymentChannels', 'AuditLog', 'KeyRegistry'];

/** What opening a dispute takes. */
export interface DisputeCost {
  /** The token of the disputed call. */
  token: Hex;
  /** What the claimant puts up, atomic units; 0 for one-shot disputes. */
  bond: bigint;
}

/**
 * What opening a dispute costs.
 * @param options.token of the disputed call, by its claim.
 * @throws AutoPayError `transaction_failed` if the token has no terms, so that nothing can be disputed in it.
 */
export async function readDisputeCost(
  deployment: OpenDeployment,
  { evidence, token }: { evidence: Evidence; token: Hex },
): Promise<DisputeCost> {
  const { reader, contracts } = deployment;
  try {
    if (!bondedKinds.has(evidence.kind)) return { token, bond: 0n };
    const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
    const { claimantBond } = await reader.readContract({ ...disputes, functionName: 'termsOf', args: [token] });
    if (claimantBond > 0n) return { token, bond: claimantBond };
  } catch (error) {
    throw asChainError(error, 'Reading the terms of disputes');
  }
  throw new AutoPayError(
    'transaction_failed',
    'The governance has set no terms for disputes in this token, so none can be opened.',
  );
}

/**
 * Approves the claimant's bond where one is needed, and opens the dispute.
 * @throws AutoPayError `transaction_failed` with the contract's own error if the evidence does not hold.
 */
export async function openDispute(
  deployment: OpenDeployment,
  sender: Sender,
  options: { evidence: Evidence; cost: DisputeCost },
): Promise<{ disputeId: bigint; transactionHash: Hex }> {
  const { evidence, cost } = options;
  const disputes = deployment.contracts.billingDisputes;
  const call = { to: disputes, data: encodeDispute(evidence), unit: unitOfToken(deployment, cost.token) };
  if (cost.bond > 0n) {
    // Before a bond is approved for it.
    const refusal = await refusalOf(deployment, { evidence, account: sender.address, unit: call.unit });
    if (refusal !== undefined) throw new AutoPayError('transaction_failed', refusal);
  }
  await approveBond(deployment, sender, cost);
  const receipt = await sender.send('The dispute', call);
  const [opened] = parseEventLogs({ abi: billingDisputesAbi, eventName: 'DisputeOpened', logs: receipt.logs });
  if (!opened) throw new AutoPayError('transaction_failed', 'No dispute was opened. Is the contract the right one?');
  return { disputeId: opened.args.disputeId, transactionHash: receipt.transactionHash };
}

/** The call that opens a dispute, ABI-encoded. */
export function encodeDispute(evidence: Evidence): Hex {
  const abi = billingDisputesAbi;
  switch (evidence.kind) {
    case 'duplicate-sequence': {
      const args = [evidence.one, evidence.other] as const;
      return encodeFunctionData({ abi, functionName: 'disputeDuplicateSequence', args });
    }
    case 'wrong-running-total': {
      const args = [evidence.earlier ?? noReceipt, evidence.later] as const;
      return encodeFunctionData({ abi, functionName: 'disputeRunningTotal', args });
    }
    case 'rewritten-index': {
      const args = [evidence.earlier, evidence.later] as const;
      return encodeFunctionData({ abi, functionName: 'disputeRewrittenIndex', args });
    }
    case 'overcharge': {
      const args = [evidence.receipt, evidence.proven] as const;
      return encodeFunctionData({ abi, functionName: 'disputeOvercharge', args });
    }
    case 'unpublished-prices':
      return encodeFunctionData({ abi, functionName: 'disputeUnpublishedPrices', args: [evidence.receipt] });
    case 'settled-beyond-receipt': {
      const args = [evidence.channelId, evidence.last ?? noReceipt] as const;
      return encodeFunctionData({ abi, functionName: 'challengeSettlement', args });
    }
    case 'not-in-log':
      return encodeFunctionData({ abi, functionName: 'challengeInclusion', args: [evidence.receipt] });
    case 'metering': {
      const args = [evidence.receipt, evidence.amount] as const;
      return encodeFunctionData({ abi, functionName: 'disputeMetering', args });
    }
  }
}

/**
 * Asks the contract whether it would take evidence in the next block, without sending anything.
 * @param options.unit the dispute's token, in which refusals are told.
 * @returns why not, in words; undefined if it would. The claimant's bond is taken last: that it cannot be taken yet is the token's
 *   refusal, and no fault of the evidence.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function refusalOf(
  { reader, contracts }: OpenDeployment,
  { evidence, account, unit }: { evidence: Evidence; account: Hex; unit: TokenUnit },
): Promise<string | undefined> {
  try {
    await reader.call({ account, to: contracts.billingDisputes, data: encodeDispute(evidence), blockTag: 'pending' });
    return undefined;
  } catch (error) {
    const refusal = asChainError(error, 'The dispute', unit);
    if (!(refusal instanceof AutoPayError) || refusal.code !== 'transaction_failed') throw refusal;
    const isOfToken = bondedKinds.has(evidence.kind) && error instanceof BaseError;
    return isOfToken && !judges.some((judge) => isRevertOf(error, judge)) ? undefined : refusal.message;
  }
}

async function approveBond(deployment: OpenDeployment, sender: Sender, { token, bond }: DisputeCost): Promise<void> {
  if (bond === 0n) return;
  const { reader, contracts } = deployment;
  const erc20 = { address: token, abi: fiatTokenAbi } as const;
  const unit = unitOfToken(deployment, token);
  const balance = await reader.readContract({ ...erc20, functionName: 'balanceOf', args: [sender.address] });
  if (balance < bond) {
    throw new AutoPayError(
      'transaction_failed',
      `The wallet holds ${formatShort(balance, unit)}; the dispute's bond is ${formatShort(bond, unit)}. Fund it first.`,
    );
  }
  const parties = [sender.address, contracts.billingDisputes] as const;
  if ((await reader.readContract({ ...erc20, functionName: 'allowance', args: parties })) >= bond) return;
  const data = encodeFunctionData({
    abi: fiatTokenAbi,
    functionName: 'approve',
    args: [contracts.billingDisputes, bond],
  });
  await sender.send("Approving the claimant's bond", { to: token, data });
}
