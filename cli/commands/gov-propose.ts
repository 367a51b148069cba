import { isAddress } from 'viem';
import type { OpenDeployment } from '../../client/chain/open-deployment.ts';
import { asChainError } from '../../client/chain/send-transaction.ts';
import { escapeLine } from '../../protocol/text/escape-text.ts';
import {
  proposeBudgetRemoval,
  proposeDefaultBudget,
  proposeModelBudget,
  proposeOverBudgetRelease,
  proposePriceRetirement,
  proposePriceRoot,
  proposeProvider,
  proposeRate,
  proposeRelayRoles,
  proposeRuling,
  type ProposalDraft,
} from '../../client/governance/build-proposal.ts';
import { formatTime } from '../../client/format-time.ts';
import { shortId } from '../../client/governance/describe-next-step.ts';
import { reviewCalls } from '../../client/governance/review-calls.ts';
import { sendProposal } from '../../client/governance/send-proposal.ts';
import { isHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from '../command-context.ts';
import { confirmSigning } from '../confirm-signing.ts';
import { openCommandDeployment, openCommandSender, type SigningOptions } from '../open-command-deployment.ts';
import { formatPrices } from '../format-prices.ts';
import { formatReview } from '../format-review.ts';
import { readPriceTable, type PriceTable } from '../read-price-table.ts';

/** What `autopay gov propose` was given: an action with its arguments, as they were typed. */
export type ProposeInput =
  | { action: 'set-budget'; model: string; agptPerDay: string }
  | { action: 'remove-budget'; model: string }
  | { action: 'set-default-budget'; agptPerDay: string }
  | { action: 'set-rate'; token: string; agptPerToken: string }
  | { action: 'set-price'; config?: string }
  | { action: 'retire-price'; root: string }
  | { action: 'add-provider'; name: string; payout: string }
  | { action: 'grant-relay' | 'revoke-relay'; relay: string }
  | { action: 'rule-dispute'; disputeId: string; refund: string }
  | { action: 'release-over-budget'; batchId: string };

/** Makes a proposal, after showing what it would do; false if the user declined. */
export async function runPropose(
  context: CommandContext,
  options: SigningOptions,
  input: ProposeInput,
): Promise<boolean> {
  const deployment = await openCommandDeployment(context, options);
  const sender = await openCommandSender(context, options, deployment);
  const draft = await buildDraft(context, deployment, input).catch((error: unknown) => {
    throw asChainError(error, 'Reading the chain');
  });
  const calls = await reviewCalls(deployment, draft.calls);
  const failed = calls.find(({ failure }) => failure !== null);
  if (failed) {
    throw new AutoPayError('transaction_failed', `${failed.text} would fail: ${failed.failure}. Nothing was signed.`);
  }
  const text = `${escapeLine(draft.title)}\n${formatReview(calls)}${draft.details ?? ''}`;
  if (!(await confirmSigning(context, { text, account: sender.address, isYes: options.yes === true }))) return false;
  const sent = await sendProposal(deployment, sender, draft);
  context.print({
    json: {
      ...{ proposalId: sent.id, title: draft.title, proposer: sender.address, calls },
      ...{ voteStart: sent.voteStart, voteEnd: sent.voteEnd, transactionHash: sent.transactionHash },
    },
    text:
      `Proposal ${sent.id} is made in transaction ${sent.transactionHash}.\n` +
      `Voting is open from ${formatTime(sent.voteStart)} to ${formatTime(sent.voteEnd)}: ` +
      `autopay gov vote ${shortId(sent.id)} for\n`,
  });
  return true;
}

/** A draft with what a reader should see besides its calls. */
interface DetailedDraft extends ProposalDraft {
  details?: string;
}

async function buildDraft(
  context: CommandContext,
  deployment: OpenDeployment,
  input: ProposeInput,
): Promise<DetailedDraft> {
  switch (input.action) {
    case 'set-budget':
      return proposeModelBudget(deployment, input.model, input.agptPerDay);
    case 'remove-budget':
      return proposeBudgetRemoval(deployment, input.model);
    case 'set-default-budget':
      return proposeDefaultBudget(deployment, input.agptPerDay);
    case 'set-rate':
      return proposeRate(deployment, input.token, input.agptPerToken);
    case 'set-price':
      return draftPrices(deployment, await readPriceTable(context, input.config));
    case 'retire-price':
      return proposePriceRetirement(deployment, parseRoot(input.root));
    case 'add-provider':
      return proposeProvider(deployment, input.name, parseAddress(input.payout));
    case 'grant-relay':
      return proposeRelayRoles(deployment, 'grantRole', parseAddress(input.relay));
    case 'revoke-relay':
      return proposeRelayRoles(deployment, 'revokeRole', parseAddress(input.relay));
    case 'rule-dispute':
      return proposeRuling(deployment, parseId(input.disputeId), input.refund);
    case 'release-over-budget':
      return proposeOverBudgetRelease(deployment, parseId(input.batchId));
  }
}

/** A root says nothing to a reader: the prices that it stands for are listed. */
function draftPrices(deployment: OpenDeployment, { root, rows }: PriceTable): DetailedDraft {
  return { ...proposePriceRoot(deployment, root), details: formatPrices(deployment, rows) };
}

/**
 * An address as a user typed it; one in mixed case has to have its checksum (EIP-55).
 * @throws AutoPayError `invalid_argument`.
 */
export function parseAddress(text: string): Hex {
  if (isAddress(text)) return text;
  throw new AutoPayError('invalid_argument', `${text} is no address: 0x and 40 hexadecimal digits, checksum included.`);
}

/**
 * The number of a dispute or booking.
 * @throws AutoPayError `invalid_argument`.
 */
export function parseId(text: string): bigint {
  if (/^\d{1,20}$/.test(text)) return BigInt(text);
  throw new AutoPayError('invalid_argument', `${text} is no number of a dispute or booking.`);
}

function parseRoot(text: string): Hex {
  if (isHex(text, 32)) return text;
  throw new AutoPayError('invalid_argument', 'A price root is 0x and 64 hexadecimal digits.');
}
