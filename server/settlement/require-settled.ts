import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { SettlementQueue } from './settlement-queue.ts';

/**
 * Settles a payment, for the answer that waits for it.
 *
 * @returns the transaction; null if none was needed
 * @throws AutoPayError `settlement_pending`, `settlement_failed`
 */
export async function requireSettled(settlement: Pick<SettlementQueue, 'settle'>, paymentId: Hex): Promise<Hex | null> {
  const outcome = await settlement.settle(paymentId);
  if (outcome.state === 'settled') return outcome.transactionHash;
  const facts = { paymentId };
  if (outcome.state === 'pending') {
    const message =
      'The payment is not in a block yet. Send the same request with the same payment again: do not sign another.';
    throw new AutoPayError('settlement_pending', message, { facts });
  }
  throw new AutoPayError(
    'settlement_failed',
    'The payment could not be taken, so the answer is withheld. Make sure that the wallet can pay, and send the same request with the same payment again; it is tried once a minute at most.',
    { facts },
  );
}
