/** What one billing unit of `executeLLMCall` costs: AGPT wei, 10^18 / AutoPayLLM.TOKENS_PER_AGPT. */
const billingUnit = 10n ** 18n / 1_250n;

/** What the chain takes from an allowance for an amount: whole billing units, rounded up. AGPT wei. */
export function roundUpToUnit(amount: bigint): bigint {
  return ((amount + billingUnit - 1n) / billingUnit) * billingUnit;
}
