import { HTTPFacilitatorClient } from '@x402/core/server';
import { SettleError, VerifyError, type PaymentPayload } from '@x402/core/types';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { readPayment, type TokenPayment } from '../../settlement/payment-payload.ts';
import type { PaymentSubmitter } from '../../settlement/settle-payment.ts';
import { requirementsFor } from './build-offers.ts';
import type { PaymentVerifier } from './payment-verifier.ts';
import { toX402Payload } from './to-x402-payload.ts';
import type { X402Terms, X402Token } from './x402-terms.ts';

/** Verifies payments, and settles them to the desk. */
export type Facilitator = PaymentVerifier & PaymentSubmitter;

/**
 * An x402 facilitator behind a URL (`POST /verify`, `POST /settle`). It is believed about payments, but not about money:
 * what it has settled counts when the desk has handed it on.
 *
 * @param options.readAvailable what a wallet could pay now; a facilitator judges each payment as if it were the wallet's only one
 * @param options.timeoutMs of one request
 */
export function createFacilitatorClient(options: {
  url: string;
  terms: X402Terms;
  readAvailable: (payment: TokenPayment) => Promise<bigint>;
  timeoutMs?: number;
}): Facilitator {
  const { readAvailable, terms, url, timeoutMs = 10_000 } = options;
  const client = new HTTPFacilitatorClient({ url, timeoutMs });

  const describe = (payment: TokenPayment, token: X402Token) => {
    const accepted = requirementsFor(terms, { kind: payment.kind, token, amount: payment.maximum });
    const payload: PaymentPayload = { x402Version: 2, accepted, payload: toX402Payload(payment) };
    return [payload, accepted] as const;
  };

  return {
    async verify(payment, token) {
      const verdict = await client.verify(...describe(payment, token)).catch((error: unknown) => {
        // A refusal may come with a status of its own.
        if (error instanceof VerifyError) return { isValid: false, invalidReason: error.invalidReason };
        const message = 'The x402 facilitator could not be asked. Send the same payment again.';
        throw new AutoPayError('facilitator_unavailable', message, { cause: error });
      });
      if (verdict.isValid) return readAvailable(payment);
      const reason = (verdict.invalidReason ?? 'no reason given').slice(0, 100);
      const message = `The x402 facilitator refuses the payment (${reason}). Sign an offer as it is.`;
      throw new AutoPayError('payment_invalid', message, { facts: { reason } });
    },
    async submit(stored) {
      const payment = readPayment(stored);
      const token = terms.tokens.find(({ address }) => address === stored.token);
      if (payment === undefined || token === undefined) throw new Error('not an x402 payment');
      const settled = await client.settle(...describe(payment, token)).catch((error: unknown) => {
        if (error instanceof SettleError) return { success: false, errorReason: error.errorReason };
        throw error;
      });
      if (!settled.success) throw new Error(`the facilitator did not settle: ${settled.errorReason ?? 'no reason'}`);
    },
  };
}
