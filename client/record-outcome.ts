import type { Wallet } from './open-wallet.ts';
import type { StoredPayment } from './payment-store.ts';

/**
 * Notes what became of a payment, and tells the owner. It never throws: the answer is paid for, and a client that gets an error in its place
 * would pay for another one.
 * @param payment as it was recorded when it was signed.
 */
export async function recordOutcome(
  wallet: Pick<Wallet, 'payments' | 'options' | 'warn'>,
  payment: StoredPayment,
  change: Partial<StoredPayment>,
): Promise<void> {
  const latest = { ...payment, ...change, atMs: Date.now() };
  try {
    await wallet.payments.append(latest);
    wallet.options.onPayment?.(latest);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    wallet.warn(`That payment ${payment.paymentId} is ${latest.state} could not be noted (${reason}).`);
  }
}
