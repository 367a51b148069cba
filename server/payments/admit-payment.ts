import type { Admission } from '../call/types.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { Challenge, ChallengeContext, PaymentMethod, PaymentRequest } from './payment-method.ts';

/**
 * Asks each method in order for the payment of a request; the first that knows it decides.
 *
 * @throws AutoPayError of that method, or `payment_required` if none knows the request
 */
export async function admitPayment(methods: readonly PaymentMethod[], request: PaymentRequest): Promise<Admission> {
  for (const method of methods) {
    const admission = await method.admit(request);
    if (admission) return admission;
  }
  throw new AutoPayError('payment_required', 'This relay takes payment for each call. Pay as WWW-Authenticate says.');
}

/** The challenges of all methods as one: what a 402 carries. */
export function collectChallenges(methods: readonly PaymentMethod[], context: ChallengeContext): Challenge {
  const headers: Record<string, string> = {};
  const facts: Record<string, string | number> = {};
  for (const method of methods) {
    const challenge = method.challenge(context);
    for (const [name, value] of Object.entries(challenge?.headers ?? {})) {
      const before = headers[name];
      headers[name] = before === undefined ? value : `${before}, ${value}`;
    }
    for (const [name, value] of Object.entries(challenge?.facts ?? {})) facts[name] ??= value;
  }
  return { headers, facts };
}
