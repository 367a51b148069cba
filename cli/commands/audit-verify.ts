import { openLogMemory, type RememberedLog } from '../../client/audit/log-memory.ts';
import { openReceiptStore, type StoredReceipt } from '../../client/receipt-store.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { verifyCall, type CallVerification, type LoggedCall } from '../../fsck/verify-call.ts';
import type { LogVerdict } from '../../fsck/verify-log-state.ts';
import { originOf } from '../../protocol/log/checkpoint.ts';
import { isCallId } from '../../protocol/receipt/call-id.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import {
  collectPriceTables,
  findAuditPlace,
  openBlocks,
  openLogSource,
  type AuditPlace,
  type AuditSourceOptions,
} from '../audit-place.ts';
import { formatClaims } from '../format-claims.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';
import { orUndefined } from '../../protocol/errors/or-undefined.ts';

/** What `autopay audit verify` was given. */
export interface AuditVerifyOptions extends AuditSourceOptions {
  /** A call id, or `last` for the call whose receipt this wallet got last. */
  callId: string;
}

/** Verifies a call, claim by claim, from the chain and content-addressed blocks; false if it could not be verified. */
export async function runAuditVerify(context: CommandContext, options: AuditVerifyOptions): Promise<boolean> {
  const place = await findAuditPlace(context, options);
  const { deployment, stateDir } = place;
  const store = openReceiptStore(stateDir);
  const stored = options.callId === 'last' ? await store.findLast() : await store.find(options.callId);
  const callId = stored?.callId ?? options.callId;
  requireCallId(callId);
  if (stored && stored.chainId !== deployment.chainId) {
    throw new AutoPayError(
      'invalid_argument',
      `The call was paid on chain ${stored.chainId}, whose contracts its receipt goes by; this is chain ${deployment.chainId}. ` +
        'Name a data folder of that chain with --data-dir, or its endpoint with --rpc.',
    );
  }
  const origin = originOf(originParts(deployment));
  const logSource = openLogSource(options, place);
  const seen = await openLogMemory(stateDir).read(origin);
  const blocks = await openBlocks(options, place);
  const verifying = verifyCall({
    ...deployment,
    callId,
    blockSource: blocks.source,
    priceTables: await collectPriceTables(options, place),
    seen,
    receipts: receiptsOf(await store.list(), deployment),
    ...(logSource && { logSource }),
    ...(stored ? { signedReceipt: decodeSignedReceipt(stored.receipt) } : {}),
  });
  const verification = await showProgress('Reading chain and blocks', verifying).finally(blocks.close);
  const evidenceFile = await noteLog(stateDir, origin, { ...verification, seen });
  context.print({
    json: { callId, ...verification, ...(evidenceFile !== undefined && { evidenceFile }) },
    text: describeVerification(verification, { place, hasReceipt: stored !== undefined, evidenceFile }),
  });
  return verification.ok;
}

function requireCallId(callId: string): void {
  if (isCallId(callId)) return;
  throw new AutoPayError(
    'invalid_argument',
    callId === 'last'
      ? 'This wallet has no receipt yet. Make a call first.'
      : 'A call id is a lower-case UUIDv7: the x-autopay-call-id header, or what autopay call prints.',
  );
}

/** What names the log of a deployment. */
export function originParts({ chainId, contracts }: AuditPlace['deployment']) {
  return { chainId, autoPayLLM: contracts.autoPayLLM };
}

/** The wallet's receipts of a deployment: what was paid elsewhere, or before it, is not evidence here. */
export function receiptsOf(receipts: readonly StoredReceipt[], { chainId, contracts }: AuditPlace['deployment']) {
  return receipts
    .filter((receipt) => receipt.chainId === chainId && receipt.payee === contracts.autoPayLLM)
    .flatMap(({ receipt }) => orUndefined(() => decodeSignedReceipt(receipt)) ?? []);
}

/** Remembers what was seen of the log, or writes down what contradicts it. @returns the file with the evidence */
export async function noteLog(
  stateDir: string,
  origin: string,
  { remember, conflict, seen }: LogVerdict & { seen: RememberedLog },
): Promise<string | undefined> {
  const memory = openLogMemory(stateDir);
  if (remember) await memory.remember(origin, remember, seen);
  return conflict && memory.keepEvidence(conflict);
}

function describeVerification(
  verification: CallVerification,
  parts: { place: AuditPlace; hasReceipt: boolean; evidenceFile: string | undefined },
): string {
  const { place, hasReceipt, evidenceFile } = parts;
  const { call, claims, ok } = verification;
  let text = formatClaims(claims);
  if (call) text += `\n${describeCall(call, place)}`;
  if (!hasReceipt) text += '\nThis wallet has no receipt of the call, so only the log was checked, not a signature.\n';
  if (evidenceFile !== undefined)
    text += `\nWhat contradicts itself is written to ${evidenceFile}: keep it, and show it to others.\n`;
  return `${text}\n${ok ? 'The call stands in the anchored log.' : 'The call could NOT be verified.'}\n`;
}

function describeCall({ receipt, index, cid, anchor }: LoggedCall, { tokens }: AuditPlace): string {
  const token = Object.entries(tokens).find(([, { address }]) => address === receipt.token);
  const amount = token
    ? formatAmount(receipt.amount, { symbol: token[0], decimals: token[1].decimals })
    : `${receipt.amount} atomic units of ${receipt.token}`;
  return formatTable([
    ['model', `${receipt.modelAsked}, served by ${receipt.provider} as ${receipt.modelServed}`],
    ['tokens', `${receipt.usage.prompt} prompt + ${receipt.usage.completion} completion (${receipt.usageKind})`],
    ['charge', receipt.amount === 0n ? 'free' : amount],
    ['evidence', receipt.evidenceTier],
    ['log entry', `${index} of ${anchor.size}`],
    ['block', cid],
    ['anchored by', anchor.transactionHash],
  ]);
}
