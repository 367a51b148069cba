import type { BackgroundLedger, PaymentState } from '../ledger/background-ledger.ts';
import type { DirectPayment } from '../ledger/ledger.ts';

/** A payment in one of these states has been verified before, and the ledger knows the call that it paid for. */
const knownStates: readonly PaymentState[] = ['reserved', 'due', 'settled', 'lost', 'forgiven'];

/**
 * Whether the ledger has exactly this payment, signature included. Then it is admitted without asking the chain, where its
 * nonce may be used by now.
 */
export async function isKnownPayment(
  ledger: Pick<BackgroundLedger, 'getPayment'>,
  described: DirectPayment,
): Promise<boolean> {
  const stored = await ledger.getPayment(described.paymentId);
  return (
    stored !== undefined &&
    knownStates.includes(stored.state) &&
    stored.payload === described.payload &&
    stored.token === described.token &&
    stored.maximum === described.maximum
  );
}
