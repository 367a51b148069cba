import type { FinishedPayment } from '../../call/types.ts';
import type { MethodAdmission, PaymentMethod } from '../payment-method.ts';

const unpaid: MethodAdmission = {
  ...{ funds: null, channel: null, token: null, headroom: null, scopes: [], keyId: null, idempotencyScope: null },
  wantsPaymentEvents: false,
};
const nothing: FinishedPayment = { headers: {}, events: '' };

/**
 * The method of requests that carry no payment: nobody pays, which a free route accepts and any other answers with
 * 402. It stands last, because it admits everything.
 */
export function createFreeMethod(): PaymentMethod {
  return {
    name: 'free',
    carries: () => false,
    admit: () => Promise.resolve(unpaid),
    challenge: () => undefined,
    finish: () => Promise.resolve(nothing),
  };
}
