const rateUnit = 10n ** 18n;

/**
 * What an amount of a token counts against budgets, AGPT wei: `ceil(amount × rate / 10^18)`, as `ModelBudgets.toAgpt`. The
 * chain rounds up once for each booked sum, the relay for each call: its count is never below the chain's.
 */
export function toAgpt(amount: bigint, rate: bigint): bigint {
  return (amount * rate + rateUnit - 1n) / rateUnit;
}
