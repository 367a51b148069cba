import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { costOfUsage } from '../../protocol/pricing/token-prices.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { asChainError } from '../chain/send-transaction.ts';
import type { Evidence } from './evidence-schema.ts';

/** What a dispute would be about. */
export interface DisputeClaim {
  channelId: Hex;
  /** The token of all amounts. */
  token: Hex;
  /** The disputed call; null where the whole channel is disputed. */
  call: Pick<CallReceipt, 'callId' | 'amount'> | null;
  /** The most that the channel is refunded, atomic units: less, where it was claimed before or is not paid yet. */
  refund: bigint;
}

/**
 * What a piece of evidence claims, by the rules of BillingDisputes.
 * @throws AutoPayError `invalid_encoding` if its entry is no receipt, `chain_unavailable`.
 */
export async function readClaim(deployment: OpenDeployment, evidence: Evidence): Promise<DisputeClaim> {
  if (evidence.kind === 'settled-beyond-receipt') return readSettlementClaim(deployment, evidence);
  const { receipt, refund } = claimOf(evidence);
  return { channelId: receipt.channelId, token: receipt.token, call: receipt, refund };
}

type Settlement = Extract<Evidence, { kind: 'settled-beyond-receipt' }>;

async function readSettlementClaim(
  { reader, contracts }: OpenDeployment,
  { channelId, last }: Settlement,
): Promise<DisputeClaim> {
  const channels = { address: contracts.paymentChannels, abi: paymentChannelsAbi } as const;
  try {
    const { token, settled } = await reader.readContract({
      ...channels,
      functionName: 'getChannel',
      args: [channelId],
    });
    const known = last === null ? 0n : receiptOf(last).runningTotal;
    return { channelId, token, call: null, refund: atLeastZero(settled - known) };
  } catch (error) {
    throw asChainError(error, 'Reading the channel');
  }
}

function claimOf(evidence: Exclude<Evidence, Settlement>): { receipt: CallReceipt; refund: bigint } {
  switch (evidence.kind) {
    case 'duplicate-sequence': {
      const [receipt, other] = [receiptOf(evidence.one), receiptOf(evidence.other)];
      return { receipt, refund: receipt.amount > other.amount ? receipt.amount : other.amount };
    }
    case 'wrong-running-total': {
      const receipt = receiptOf(evidence.later);
      const before = evidence.earlier === null ? 0n : receiptOf(evidence.earlier).runningTotal;
      return { receipt, refund: atLeastZero(receipt.runningTotal - before - receipt.amount) };
    }
    case 'overcharge': {
      const receipt = receiptOf(evidence.receipt);
      return { receipt, refund: excessOf(receipt, evidence.proven.row) };
    }
    case 'metering':
      return { receipt: receiptOf(evidence.receipt), refund: evidence.amount };
    case 'rewritten-index': {
      const receipt = receiptOf(evidence.earlier);
      return { receipt, refund: receipt.amount };
    }
    case 'unpublished-prices':
    case 'not-in-log': {
      const receipt = receiptOf(evidence.receipt);
      return { receipt, refund: receipt.amount };
    }
  }
}

/** What a charge is above its price; the whole of it where only the oracle's round can tell, or nothing fits. */
function excessOf(receipt: CallReceipt, row: Extract<Evidence, { kind: 'overcharge' }>['proven']['row']): bigint {
  if (row.inUsd) return receipt.amount;
  try {
    return atLeastZero(receipt.amount - costOfUsage(receipt.usage, { prices: row, conversion: null }));
  } catch {
    return receipt.amount;
  }
}

const receiptOf = ({ entry }: { entry: Hex }): CallReceipt => decodeReceipt(fromHex(entry));

const atLeastZero = (amount: bigint): bigint => (amount > 0n ? amount : 0n);
