import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { agptUnit, findToken, unitOfToken, type OpenDeployment } from '../chain/open-deployment.ts';
import { formatShort, parseAmount } from '../token-amount.ts';
import { encodeCall, type GovernanceCall } from './governance-call.ts';

import { readBooking } from './read-booking.ts';

/** What is to be proposed: the calls, and a title for people. */
export interface ProposalDraft {
  title: string;
  calls: GovernanceCall[];
}

/** `setModelBudget`: what a model may spend per UTC day, in whole AGPT. */
export function proposeModelBudget(deployment: OpenDeployment, model: string, agptPerDay: string): ProposalDraft {
  const limit = parseAmount(agptPerDay, agptUnit);
  return draft(`Set the budget of model ${model} to ${formatShort(limit, agptUnit)} per day`, [
    encodeCall(deployment.contracts, {
      contract: 'modelBudgets',
      functionName: 'setModelBudget',
      args: [requireName(model), limit],
    }),
  ]);
}

/** `removeModelBudget`: the default limit holds again for a model. */
export function proposeBudgetRemoval(deployment: OpenDeployment, model: string): ProposalDraft {
  return draft(`Let the default budget hold for model ${model}`, [
    encodeCall(deployment.contracts, {
      contract: 'modelBudgets',
      functionName: 'removeModelBudget',
      args: [requireName(model)],
    }),
  ]);
}

/** `setDefaultBudget`: what each model may spend that has no limit of its own, in whole AGPT per UTC day. */
export function proposeDefaultBudget(deployment: OpenDeployment, agptPerDay: string): ProposalDraft {
  const limit = parseAmount(agptPerDay, agptUnit);
  return draft(`Set the default budget of models to ${formatShort(limit, agptUnit)} per day`, [
    encodeCall(deployment.contracts, { contract: 'modelBudgets', functionName: 'setDefaultBudget', args: [limit] }),
  ]);
}

/** `setAccountingRate`: what a whole token counts against budgets, in whole AGPT. */
export function proposeRate(deployment: OpenDeployment, token: string, agptPerToken: string): ProposalDraft {
  const unit = findToken(deployment, token);
  const agpt = parseAmount(agptPerToken, agptUnit);
  // AGPT wei per atomic unit, times 10^18 (IModelBudgets).
  const rate = (agpt * 10n ** 18n) / 10n ** BigInt(unit.decimals);
  return draft(`Count one ${unit.symbol} as ${formatShort(agpt, agptUnit)} against budgets`, [
    encodeCall(deployment.contracts, {
      contract: 'modelBudgets',
      functionName: 'setAccountingRate',
      args: [unit.address, rate],
    }),
  ]);
}

/** `publishPriceRoot`: a price table holds from the execution on. */
export function proposePriceRoot(deployment: OpenDeployment, root: Hex): ProposalDraft {
  return draft(`Publish the price table ${root}`, [
    encodeCall(deployment.contracts, { contract: 'priceBook', functionName: 'publishPriceRoot', args: [root, 0n] }),
  ]);
}

/** `retirePriceRoot`: a price table holds no longer, as soon after the execution as `PriceBook.MIN_NOTICE` lets it. */
export function proposePriceRetirement(deployment: OpenDeployment, root: Hex): ProposalDraft {
  return draft(`Retire the price table ${root}`, [
    encodeCall(deployment.contracts, { contract: 'priceBook', functionName: 'retirePriceRoot', args: [root, 0n] }),
  ]);
}

/** `setProvider`: where a provider is paid, with its name registered so that everybody can read it. */
export async function proposeProvider(deployment: OpenDeployment, name: string, payout: Hex): Promise<ProposalDraft> {
  const { contracts, reader } = deployment;
  const id = nameId(requireName(name));
  const isNamed = await reader.readContract({
    address: contracts.autoPayLLM,
    abi: autoPayLlmAbi,
    functionName: 'isNameRegistered',
    args: [id],
  });
  const contract = 'autoPayLLM';
  return draft(`Pay provider ${name} at ${payout}`, [
    ...(isNamed ? [] : [encodeCall(contracts, { contract, functionName: 'registerName', args: [name] })]),
    encodeCall(contracts, { contract, functionName: 'setProvider', args: [id, payout] }),
  ]);
}

/** The roles of a relay: it collects and books, anchors the log, and keeps the keys that sign receipts. */
const relayRoles = [
  { contract: 'autoPayLLM', role: 'RELAY_ROLE' },
  { contract: 'auditLog', role: 'ANCHOR_ROLE' },
  { contract: 'keyRegistry', role: 'KEYS_ROLE' },
] as const;

/** Grants a relay's account, or takes from it, all roles of a relay. */
export function proposeRelayRoles(
  deployment: OpenDeployment,
  functionName: 'grantRole' | 'revokeRole',
  relay: Hex,
): ProposalDraft {
  const title = functionName === 'grantRole' ? `Let ${relay} be a relay` : `Let ${relay} be a relay no longer`;
  const calls = relayRoles.map(({ contract, role }) =>
    encodeCall(deployment.contracts, { contract, functionName, args: [nameId(role), relay] }),
  );
  return draft(title, calls);
}

/** `rule`: what the payer of a metering dispute gets back, in whole tokens; 0 rejects the claim. */
export async function proposeRuling(
  deployment: OpenDeployment,
  disputeId: bigint,
  refund: string,
): Promise<ProposalDraft> {
  const { contracts, reader } = deployment;
  const dispute = await reader.readContract({
    address: contracts.billingDisputes,
    abi: billingDisputesAbi,
    functionName: 'getDispute',
    args: [disputeId],
  });
  if (dispute.kind === 0) {
    throw new AutoPayError('invalid_argument', `There is no dispute ${disputeId}. See autopay dispute status.`);
  }
  const unit = unitOfToken(deployment, dispute.token);
  const amount = parseAmount(refund, unit);
  return draft(`Rule on dispute ${disputeId}: refund ${formatShort(amount, unit)}`, [
    encodeCall(contracts, { contract: 'billingDisputes', functionName: 'rule', args: [disputeId, amount] }),
  ]);
}

/** `releaseOverBudget`: what a booking withheld, as over budget or late, becomes the providers' after all. */
export async function proposeOverBudgetRelease(deployment: OpenDeployment, batchId: bigint): Promise<ProposalDraft> {
  const { spends, anchor } = await readBooking(deployment, batchId);
  return draft(`Release what booking ${batchId} withheld`, [
    encodeCall(deployment.contracts, {
      contract: 'autoPayLLM',
      functionName: 'releaseOverBudget',
      args: [batchId, spends, anchor],
    }),
  ]);
}

function draft(title: string, calls: GovernanceCall[]): ProposalDraft {
  return { title, calls };
}

/** As IModelBudgets and IAutoPayLLM bound names. */
const maxNameBytes = 128;

function requireName(name: string): string {
  const bytes = Buffer.byteLength(name, 'utf8');
  if (bytes > 0 && bytes <= maxNameBytes) return name;
  throw new AutoPayError('invalid_argument', `A name has 1 to ${maxNameBytes} bytes; this one has ${bytes}.`);
}
