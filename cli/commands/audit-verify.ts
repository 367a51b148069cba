import { join } from 'node:path';
import { fetchCatalogue } from '../../client/fetch-catalogue.ts';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { createFolderSource } from '../../fsck/check-blocks.ts';
import { verifyCall, type CallVerification } from '../../fsck/verify-call.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { isCallId } from '../../protocol/receipt/call-id.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createGatewaySource } from '../gateway-source.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';
import type { Stack } from '../read-stack.ts';

/** What `autopay audit verify` was given. */
export interface AuditVerifyOptions {
  /** A call id, or `last` for the call whose receipt this wallet got last. */
  callId: string;
  /** Folder with the blocks. */
  blocks?: string;
  /** URL of an IPFS gateway. */
  ipfs?: string;
}

/** Verifies a call from the chain and content-addressed blocks alone; false if a claim fails. */
export async function runAuditVerify(context: CommandContext, options: AuditVerifyOptions): Promise<boolean> {
  const stack = await context.stack();
  const { rpcUrl, deployedAtBlock, contracts } = stack;
  const receipts = openReceiptStore(join(stack.dataDir, 'client'));
  const stored = options.callId === 'last' ? await receipts.findLast() : await receipts.find(options.callId);
  const callId = stored?.callId ?? options.callId;
  if (!isCallId(callId)) {
    throw new AutoPayError(
      'invalid_argument',
      callId === 'last'
        ? 'This wallet has no receipt yet. Make a call first.'
        : 'A call id is a lower-case UUIDv7: the x-autopay-call-id header, or what autopay call prints.',
    );
  }
  if (stored && stored.chainId !== stack.chainId) {
    throw new AutoPayError(
      'invalid_argument',
      `The call was paid on chain ${stored.chainId}, whose contracts its receipt goes by; ${stack.dataDir} is about chain ${stack.chainId}. ` +
        'Name a data folder of that chain with --data-dir.',
    );
  }
  const verifying = verifyCall({
    callId,
    rpcUrl,
    deployedAtBlock,
    auditLog: contracts.auditLog,
    autoPayLLM: contracts.autoPayLLM,
    priceBook: contracts.priceBook,
    priceOracle: contracts.priceOracle,
    keyRegistry: contracts.keyRegistry,
    ...(await findPriceRows(stack)),
    blockSource:
      options.ipfs === undefined
        ? createFolderSource(options.blocks ?? stack.blocksDir)
        : createGatewaySource(options.ipfs),
    ...(stored ? { signedReceipt: decodeSignedReceipt(stored.receipt) } : {}),
  });
  const verification = await showProgress('Reading chain and blocks', verifying);
  context.print({
    json: { callId, ...verification },
    text: describeVerification(verification, { stack, hasReceipt: stored !== undefined }),
  });
  return verification.ok;
}

/**
 * The rows of the price table, for the check of the amount. The relay lists them, but does not have to be believed: they have
 * the root that the receipt names, or are not used. Without a relay the rest is checked.
 */
async function findPriceRows({ relayUrl }: Stack): Promise<{ priceRows?: PriceRow[] }> {
  try {
    const { models } = await fetchCatalogue({ relayUrl, fetch });
    return { priceRows: [...models.values()].flatMap(({ rows }) => rows) };
  } catch {
    return {};
  }
}

function describeVerification(
  verification: CallVerification,
  { stack, hasReceipt }: { stack: Stack; hasReceipt: boolean },
): string {
  const claims = verification.claims.map(({ name, ok, detail }) => [ok ? 'holds' : 'FAILS', name, detail]);
  const { call } = verification;
  let text = formatTable(claims);
  if (call) {
    const { receipt, index, cid, anchor } = call;
    const token = Object.entries(stack.tokens).find(([, { address }]) => address === receipt.token);
    const amount = token
      ? formatAmount(receipt.amount, { symbol: token[0], decimals: token[1].decimals })
      : `${receipt.amount} atomic units of ${receipt.token}`;
    text += `\n${formatTable([
      ['model', `${receipt.modelAsked}, served by ${receipt.provider} as ${receipt.modelServed}`],
      ['tokens', `${receipt.usage.prompt} prompt + ${receipt.usage.completion} completion (${receipt.usageKind})`],
      ['charge', receipt.amount === 0n ? 'free' : amount],
      ['evidence', receipt.evidenceTier],
      ['log entry', `${index} of ${anchor.size}`],
      ['block', cid],
      ['anchored by', anchor.transactionHash],
    ])}`;
  }
  if (!hasReceipt) text += '\nThis wallet has no receipt of the call, so only the log was checked, not a signature.\n';
  return `${text}\n${verification.ok ? 'The call stands in the anchored log.' : 'The call could NOT be verified.'}\n`;
}
