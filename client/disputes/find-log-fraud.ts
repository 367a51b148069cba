import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { larger } from '../../protocol/bytes/compare-amounts.ts';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { orUndefined } from '../../protocol/errors/or-undefined.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { asChainError } from '../chain/send-transaction.ts';
import { formatTime } from '../format-time.ts';
import type { Evidence } from './evidence-schema.ts';
import { findingOf, isRecent, type Finding, type HeldReceipt } from './held-receipt.ts';
import { readSettledAt } from './read-settled-at.ts';

/** A channel's entry, and its place in the log. */
export type LoggedEntry = Pick<CallReceipt, 'callId' | 'sequence' | 'runningTotal' | 'amount'> & { index: number };

/** The log as a search needs it (fsck/read-anchored-log.ts reads it from the chain and blocks). */
export interface LogView {
  /** The chain's time when the anchors were read, unix seconds: what the log lacked then may be in it by now. */
  readAt: number;
  /** Entries under the newest anchor. */
  size: number;
  /** Where a receipt of the wallet's is, by its leaf hash. */
  indexOf(leafHash: Hex): number | undefined;
  entriesOf(channelId: Hex): readonly LoggedEntry[];
  rewritten: readonly Omit<Extract<Evidence, { kind: 'rewritten-index' }>, 'kind'>[];
}

/** Entries that an earlier anchor had elsewhere, or not at all. The contract refunds the call of the earlier one. */
export function findRewrittenEntries({ rewritten }: LogView): Finding[] {
  return rewritten.map(({ earlier, later }) => {
    const { channelId, callId } = decodeReceipt(fromHex(earlier.entry));
    const reason =
      `entry ${earlier.index} of the log was call ${callId} under the anchor of ${earlier.anchor.size} entries, and is ` +
      `${describeChanged(later.entry, callId)} under that of ${later.anchor.size}`;
    return { evidence: { kind: 'rewritten-index', earlier, later }, reason, channelId, callId };
  });
}

/** What stands there now need not be a receipt. */
function describeChanged(entry: Hex, before: string): string {
  const callId = orUndefined(() => decodeReceipt(fromHex(entry)).callId);
  return callId === undefined ? 'no receipt' : `call ${callId}${callId === before ? ', changed,' : ''}`;
}

/** Receipts that are older than the relay may take to log them, and are not in the anchored log. */
export async function findMissingEntries(
  deployment: OpenDeployment,
  { held, log }: { held: readonly HeldReceipt[]; log: LogView },
): Promise<Finding[]> {
  const missing = held.filter(({ leaf, receipt }) => receipt.amount > 0n && log.indexOf(leaf) === undefined);
  if (missing.length === 0) return [];
  const delay = await readMergeDelay(deployment);
  return missing
    .filter(({ receipt, signedAtMs }) => {
      const since = Math.floor(Math.min(receipt.chargedAtMs, signedAtMs) / 1_000);
      return log.readAt >= since + delay;
    })
    .map((one) => {
      const { callId, amount, chargedAtMs } = one.receipt;
      const reason =
        `call ${callId} over ${amount} atomic units, charged at ${formatTime(Math.floor(chargedAtMs / 1_000))}, is in none of the ` +
        `${log.size} entries that the relay has anchored; it had ${delay} seconds to log it`;
      return findingOf({ kind: 'not-in-log', receipt: one.struct }, one, reason);
    });
}

/**
 * Whether a channel has paid more than its receipts account for. The payer may have lost receipts, so the log is asked for a
 * later one first; and what was taken just now need not be in the log yet.
 */
export async function findSettlement(
  deployment: OpenDeployment,
  options: { channelId: Hex; held: readonly HeldReceipt[]; log: LogView | undefined },
): Promise<Finding | { unjudged: string } | undefined> {
  const { channelId, log } = options;
  const fitting = options.held.filter(({ problems }) => problems.length === 0);
  const newest = fitting.toSorted((one, other) => other.receipt.sequence - one.receipt.sequence)[0];
  const known = newest?.receipt.runningTotal ?? 0n;
  const settled = await readSettled(deployment, channelId);
  if (settled <= known) return undefined;
  const words = `channel ${channelId} has paid ${settled} atomic units, and the newest receipt counts ${known}`;
  if (log === undefined) return { unjudged: `${words}: only the log can tell whether a receipt was lost` };
  // What is too old to be shown leaves the relay every entry to answer with.
  const last = newest && isRecent(newest, log.readAt) ? newest : undefined;
  const [sequence, shown] = [last?.receipt.sequence ?? 0, last?.receipt.runningTotal ?? 0n];
  const later = log.entriesOf(channelId).filter((entry) => entry.sequence > sequence);
  const highest = later.reduce((most, { runningTotal }) => larger(most, runningTotal), 0n);
  const answer = later.find(({ amount, runningTotal }) => runningTotal >= settled && runningTotal >= amount + shown);
  if (answer) {
    return { unjudged: `${words}; entry ${answer.index} of the log, call ${answer.callId}, accounts for it` };
  }
  const delay = await readMergeDelay(deployment);
  const since = await readSettledAt(deployment, channelId);
  if (since === undefined || log.readAt < since + delay) {
    return { unjudged: `${words}; the relay has ${delay} seconds to log what it took` };
  }
  const logged = highest === 0n ? 'has nothing later' : `counts ${highest}`;
  const evidence = { kind: 'settled-beyond-receipt', channelId, last: last?.struct ?? null } as const;
  return { evidence, reason: `${words}; the log ${logged}`, channelId, callId: null };
}

/** Seconds that a receipt may take into the log. */
async function readMergeDelay({ reader, contracts }: OpenDeployment): Promise<number> {
  const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
  try {
    return Number(await reader.readContract({ ...disputes, functionName: 'maxMergeDelay' }));
  } catch (error) {
    throw asChainError(error, 'Reading the terms of disputes');
  }
}

async function readSettled({ reader, contracts }: OpenDeployment, channelId: Hex): Promise<bigint> {
  const escrow = { address: contracts.paymentChannels, abi: paymentChannelsAbi } as const;
  try {
    const { settled } = await reader.readContract({ ...escrow, functionName: 'getChannel', args: [channelId] });
    return settled;
  } catch (error) {
    throw asChainError(error, 'Reading the channel');
  }
}
