import { openLogMemory } from '../../client/audit/log-memory.ts';
import { openReceiptStore, type StoredReceipt } from '../../client/receipt-store.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { formatRanges } from '../../fsck/channel-history.ts';
import type { ChannelSummary, HistorySummary } from '../../fsck/summarize-history.ts';
import { verifyHistory, type HistoryVerification } from '../../fsck/verify-history.ts';
import { isHex, zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { orUndefined } from '../../protocol/errors/or-undefined.ts';
import { originOf } from '../../protocol/log/checkpoint.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt, type SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import {
  collectPriceTables,
  findAuditPlace,
  openBlocks,
  openLogSource,
  type AuditPlace,
  type AuditSourceOptions,
} from '../audit-place.ts';
import type { CommandContext } from '../command-context.ts';
import { formatClaims } from '../format-claims.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';
import { noteLog, originParts, receiptsOf } from './audit-verify.ts';

/** How many problems are shown at a terminal; --json has the first 1,000. */
const maxShown = 20;

/** What `autopay audit verify --all` was given. */
export interface AuditVerifyAllOptions extends AuditSourceOptions {
  /** Whose calls; without it, those of the wallet whose receipts are in the data folder. */
  payer?: string;
}

/** Verifies all calls of a payer, from the log alone; false if something does not hold, or could not be verified. */
export async function runAuditVerifyAll(context: CommandContext, options: AuditVerifyAllOptions): Promise<boolean> {
  const place = await findAuditPlace(context, options);
  const { deployment, stateDir } = place;
  const stored = await openReceiptStore(stateDir).list();
  const payer = choosePayer(options.payer, { stored, place });
  const origin = originOf(originParts(deployment));
  const logSource = openLogSource(options, place);
  const receipts = ownReceipts(receiptsOf(stored, deployment), payer);
  const elsewhere = new Set(stored.filter(({ chainId }) => chainId !== deployment.chainId).map(({ callId }) => callId));
  const seen = await openLogMemory(stateDir).read(origin);
  const blocks = await openBlocks(options, place);
  const verifying = verifyHistory({
    ...{ ...deployment, payer, receipts, elsewhere },
    blockSource: blocks.source,
    priceTables: await collectPriceTables(options, place),
    seen,
    ...(logSource && { logSource }),
  });
  const verification = await showProgress('Reading the log', verifying).finally(blocks.close);
  const evidenceFile = await noteLog(stateDir, origin, { ...verification, seen });
  context.print({
    json: { payer, ...verification, ...(evidenceFile !== undefined && { evidenceFile }) },
    text: describe(verification, { payer, place, evidenceFile }),
  });
  return verification.ok;
}

/** Receipts of free calls name no payer; they are those of the wallet that the others name. */
function ownReceipts(receipts: readonly SignedReceipt[], payer: Hex): SignedReceipt[] {
  const named = receipts.flatMap((signed) => {
    const by = orUndefined(() => decodeReceipt(signed.entry).payer);
    return by === payer || by === zeroAddress ? [{ signed, by }] : [];
  });
  return named.some(({ by }) => by === payer) ? named.map(({ signed }) => signed) : [];
}

function choosePayer(
  given: string | undefined,
  { stored, place }: { stored: readonly StoredReceipt[]; place: AuditPlace },
): Hex {
  if (given !== undefined) {
    if (isHex(given, 20)) return given.toLowerCase() as Hex;
    throw new AutoPayError('invalid_argument', '--payer takes an address, such as 0x63d7….');
  }
  const paid = stored.findLast(({ amount }) => amount !== '0');
  if (paid) return decodeReceipt(decodeSignedReceipt(paid.receipt).entry).payer;
  if (place.stack) return place.stack.wallet.address;
  throw new AutoPayError(
    'invalid_argument',
    'There is no receipt in the data folder that would say whose calls: give --payer.',
  );
}

function describe(
  { ok, claims, problems, problemCount, summary }: HistoryVerification,
  { payer, place, evidenceFile }: { payer: Hex; place: AuditPlace; evidenceFile: string | undefined },
): string {
  let text = formatClaims(claims);
  if (summary) text += `\n${describeSummary(summary, place)}`;
  if (problemCount > 0) {
    const shown = problems
      .slice(0, maxShown)
      .map(({ index, callId, claim, detail }) => [`entry ${index}`, callId ?? '', claim, detail]);
    text += `\n${formatTable(shown)}`;
    if (problemCount > shown.length)
      text += `and ${problemCount - shown.length} more (--json has the first ${problems.length})\n`;
  }
  if (evidenceFile !== undefined)
    text += `\nWhat contradicts itself is written to ${evidenceFile}: keep it, and show it to others.\n`;
  return `${text}\n${ok ? `The calls of ${payer} stand in the anchored log.` : `The calls of ${payer} could NOT all be verified.`}\n`;
}

function describeSummary(
  { size, blockCount, entryCount, channels, tokens, withheld }: HistorySummary,
  place: AuditPlace,
): string {
  const money = (amount: bigint, token: Hex) => {
    const known = Object.entries(place.tokens).find(([, { address }]) => address === token);
    return known
      ? formatAmount(amount, { symbol: known[0], decimals: known[1].decimals })
      : `${amount} atomic units of ${token}`;
  };
  const rows = [['entries', `${entryCount} of the log's ${size}, in ${blockCount} block(s)`]];
  for (const { token, amount, entries, refundOwed } of tokens) {
    const owed = refundOwed > 0n ? `, ${money(refundOwed, token)} of what was paid owed back` : '';
    rows.push([
      'charged',
      token === zeroAddress
        ? `nothing in ${entries} free call(s)`
        : `${money(amount, token)} in ${entries} call(s)${owed}`,
    ]);
  }
  for (const channel of channels) rows.push(['channel', describeChannel(channel, money)]);
  for (const { batchId, token, model, day, amount, isReleased } of withheld ?? []) {
    rows.push([
      'over budget',
      `${money(amount, token)} of ${model} on UTC day ${day}, batch ${batchId}: ${isReleased ? 'released by vote' : 'withheld'}`,
    ]);
  }
  return formatTable(rows);
}

function describeChannel(channel: ChannelSummary, money: (amount: bigint, token: Hex) => string): string {
  const { channelId, token, entries, first, last, total, settled, missing } = channel;
  const collected = settled === null ? 'not known' : money(settled, token);
  const gaps = missing.length > 0 ? `; MISSING ${formatRanges(missing)}` : '';
  const receipts = entries === 0 ? 'NO RECEIPT' : `receipts ${first} to ${last}`;
  return `${channelId}: ${receipts}, ${money(total, token)}, collected ${collected}${gaps}`;
}
