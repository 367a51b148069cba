import type { PaymentMethod } from './payment-method.ts';

/** The methods that a configuration names, in its order. One that this relay does not have (an allowance without the token, say) is left out. */
export function chooseMethods(names: readonly string[], available: readonly PaymentMethod[]): PaymentMethod[] {
  return [...new Set(names)].flatMap((name) => available.filter((method) => method.name === name));
}
