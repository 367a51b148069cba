import type { PaymentMethod } from '../payment-method.ts';

/**
 * The method of requests that carry no payment: nobody pays, which a free route accepts and any other answers with
 * 402. It stands last, because it admits everything.
 */
export function createFreeMethod(): PaymentMethod {
  return {
    name: 'free',
    admit: () => Promise.resolve({ voucher: null, channel: null, wantsPaymentEvents: false }),
    challenge: () => undefined,
  };
}
