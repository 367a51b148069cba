import type { Hex } from '../../protocol/bytes/hex.ts';
import { isReverted, type TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { StoredPayment } from '../ledger/background-ledger.ts';
import { judgeReceived, readReceived, type JudgeOptions } from './judge-failure.ts';
import { readPayment } from './payment-payload.ts';

/**
 * Waits for what was signed for a payment earlier; sends nothing, and blames nobody.
 *
 * @returns the transaction that brought the payment whole; undefined if none of them did
 * @throws AutoPayError `chain_unavailable`, `transaction_failed`: the outcome is open
 */
export async function seeThrough(
  options: JudgeOptions & { queue: Pick<TransactionQueue, 'follow'> },
  payment: StoredPayment,
): Promise<Hex | undefined> {
  const paid = await followEarlier(options.queue, `pay:${payment.paymentId}`);
  if (paid !== undefined) return paid.transactionHash;
  const attributed = await followEarlier(options.queue, `attribute:${payment.paymentId}`);
  const signed = readPayment(payment);
  if (attributed === undefined || signed === undefined) return undefined;
  const received = await readReceived(options, signed, attributed.blockNumber);
  return judgeReceived(received, payment) === undefined ? attributed.transactionHash : undefined;
}

async function followEarlier(queue: Pick<TransactionQueue, 'follow'>, purpose: string) {
  try {
    return await queue.follow(purpose);
  } catch (error) {
    if (!isReverted(error)) throw error;
    return undefined;
  }
}
