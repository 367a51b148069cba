import { join } from 'node:path';
import { unitOfToken, type OpenDeployment } from '../../client/chain/open-deployment.ts';
import {
  buildSettlementEvidence,
  readEvidenceFile,
  requireReceipt,
  toSignedReceiptStruct,
} from '../../client/disputes/build-evidence.ts';
import { endDispute, type DisputeEnding } from '../../client/disputes/end-dispute.ts';
import type { Evidence } from '../../client/disputes/evidence-schema.ts';
import { readClaim, type DisputeClaim } from '../../client/disputes/read-claim.ts';
import { openDispute, readDisputeCost, type DisputeCost } from '../../client/disputes/open-dispute.ts';
import { readDisputes } from '../../client/disputes/read-disputes.ts';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { formatShort, parseAmount } from '../../client/token-amount.ts';
import { isHex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from '../command-context.ts';
import { confirmSigning } from '../confirm-signing.ts';
import { formatDispute } from '../format-dispute.ts';
import {
  openCommandDeployment,
  openCommandSender,
  type ChainOptions,
  type SigningOptions,
} from '../open-command-deployment.ts';
import { parseId } from './gov-propose.ts';

/** What `autopay dispute open` was given. */
export type DisputeInput =
  | { kind: 'metering'; callId: string; amount: string }
  | { kind: 'not-in-log'; callId: string }
  | { kind: 'settled-beyond-receipt'; channelId?: string }
  | { kind: 'evidence'; file: string };

/** Opens a dispute, after showing what it costs; false if the user declined. */
export async function runDisputeOpen(
  context: CommandContext,
  options: SigningOptions,
  input: DisputeInput,
): Promise<boolean> {
  const deployment = await openCommandDeployment(context, options);
  const sender = await openCommandSender(context, options, deployment);
  const evidence = await collectEvidence(context, deployment, input);
  const claim = await readClaim(deployment, evidence);
  const cost = await readDisputeCost(deployment, { evidence, token: claim.token });
  const text = describeOpening(deployment, { kind: evidence.kind, claim, cost });
  if (!(await confirmSigning(context, { text, account: sender.address, isYes: options.yes === true }))) return false;
  const { disputeId, transactionHash } = await openDispute(deployment, sender, { evidence, cost });
  const [dispute] = await readDisputes(deployment, disputeId);
  context.print({
    json: { disputeId, transactionHash, claimantBond: cost.bond, dispute },
    text: `Dispute ${disputeId} is ${dispute?.state ?? 'open'}; transaction ${transactionHash}.\n${dispute ? formatDispute(deployment, dispute) : ''}`,
  });
  return true;
}

/** Shows the newest disputes, or one. Needs no key. */
export async function runDisputeStatus(
  context: CommandContext,
  options: ChainOptions & { dispute?: string },
): Promise<void> {
  const deployment = await openCommandDeployment(context, options);
  const id = options.dispute === undefined ? undefined : parseId(options.dispute);
  const disputes = await readDisputes(deployment, id);
  context.print({
    json: { disputes },
    text:
      disputes.length === 0
        ? 'There is no dispute.\n'
        : disputes.map((dispute) => formatDispute(deployment, dispute)).join('\n'),
  });
}

/** Ends a dispute whose time is over, or pays what one left outstanding; false if the user declined. */
export async function runDisputeEnding(
  context: CommandContext,
  options: SigningOptions & { dispute: string; functionName: DisputeEnding },
): Promise<boolean> {
  const { functionName } = options;
  const disputeId = parseId(options.dispute);
  const deployment = await openCommandDeployment(context, options);
  const sender = await openCommandSender(context, options, deployment);
  const [before] = await readDisputes(deployment, disputeId);
  const text = `BillingDisputes.${functionName}(disputeId: ${disputeId})\n${before ? formatDispute(deployment, before) : ''}`;
  if (!(await confirmSigning(context, { text, account: sender.address, isYes: options.yes === true }))) return false;
  const unit = unitOfToken(deployment, before?.token ?? '');
  const { transactionHash } = await endDispute(deployment, sender, { functionName, disputeId, unit });
  const [dispute] = await readDisputes(deployment, disputeId);
  context.print({
    json: { disputeId, transactionHash, dispute },
    text: `Done in transaction ${transactionHash}.\n${dispute ? formatDispute(deployment, dispute) : ''}`,
  });
  return true;
}

async function collectEvidence(
  context: CommandContext,
  deployment: OpenDeployment,
  input: DisputeInput,
): Promise<Evidence> {
  const receipts = openReceiptStore(join(context.dataDir, 'client'));
  switch (input.kind) {
    case 'evidence':
      return readEvidenceFile(input.file);
    case 'settled-beyond-receipt': {
      const { channelId } = input;
      if (channelId === undefined || isHex(channelId, 32)) return buildSettlementEvidence(receipts, channelId);
      throw new AutoPayError('invalid_argument', 'A channel id is 0x and 64 hexadecimal digits.');
    }
    case 'not-in-log': {
      const { stored } = await requireReceipt(receipts, input.callId);
      return { kind: 'not-in-log', receipt: toSignedReceiptStruct(stored) };
    }
    case 'metering': {
      const { stored, receipt } = await requireReceipt(receipts, input.callId);
      const amount = parseAmount(input.amount, unitOfToken(deployment, receipt.token));
      return { kind: 'metering', receipt: toSignedReceiptStruct(stored), amount };
    }
  }
}

function describeOpening(
  deployment: OpenDeployment,
  { kind, claim, cost }: { kind: Evidence['kind']; claim: DisputeClaim; cost: DisputeCost },
): string {
  const { channelId, call, refund, token } = claim;
  const money = (amount: bigint): string => formatShort(amount, unitOfToken(deployment, token));
  const what =
    `Opening a dispute: ${kind}\n  channel ${channelId}\n` +
    (call === null ? '' : `  call    ${call.callId}, charged ${money(call.amount)}\n`) +
    `  refund  at most ${money(refund)} to the channel's payer\n`;
  if (cost.bond === 0n) return `${what}  cost    gas only: the chain judges the evidence at once\n`;
  return (
    `${what}  cost    ${money(cost.bond)} as the claimant's bond: it comes back if the claim holds or nobody decides in time,\n` +
    "          and goes to the relay's bond if the claim is answered or rejected\n"
  );
}
