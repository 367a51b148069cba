import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { Admission } from '../call/types.ts';
import type { MethodAdmission, PaymentMethod, PaymentRequest } from './payment-method.ts';

/**
 * Asks each method in order for the payment of a request; the first that knows it decides.
 *
 * @throws AutoPayError of that method, or `payment_required` if none knows the request
 */
export async function admitPayment(
  methods: readonly PaymentMethod[],
  request: PaymentRequest,
): Promise<Admission & Pick<MethodAdmission, 'acknowledged'>> {
  for (const method of methods) {
    const admission = await method.admit(request);
    if (!admission) continue;
    return {
      ...admission,
      finish: (charge) => method.finish(admission, charge),
      renew: () => admitPayment(methods, request),
    };
  }
  throw new AutoPayError('payment_required', 'This relay takes payment for each call. Pay as WWW-Authenticate says.');
}
