import { atomicOfUsd } from '../protocol/pricing/token-prices.ts';
import type { CallDeps } from './call/types.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { periodAt } from './keys/budget-period.ts';

/** 1970-01-05, unix seconds. */
const firstMonday = 4 * 86_400;

/**
 * The cap on what each payer may spend in a period, as `payment.payerBudget` has it: one sum for each wallet and token, whichever of its
 * channels, keys and payments it comes with. Periods are counted from a Monday at 00:00 UTC: weeks begin with it, and days at midnight.
 * @returns undefined where the configuration sets none
 */
export function createPayerScope({
  payment,
  tokens,
}: {
  payment: Pick<RelayConfig['payment'], 'payerBudget'>;
  tokens: readonly Pick<RelayConfig['tokens'][number], 'address' | 'payerBudget'>[];
}): CallDeps['payerScope'] {
  const { payerBudget: terms } = payment;
  if (!terms) return undefined;
  const limits = new Map(tokens.map(({ address, payerBudget = 0n }) => [address, payerBudget]));
  return ({ payer, sale, atMs }) => {
    const amount = limits.get(sale.token) ?? 0n;
    return {
      id: `payer:${payer.toLowerCase()}`,
      ...periodAt({ budgetDuration: terms.period, budgetFrom: firstMonday }, atMs),
      // At the price that the call is sold at: of US dollars a quote of as many dollars fits.
      limit: sale.conversion === null ? amount : atomicOfUsd(amount, sale.conversion),
    };
  };
}
