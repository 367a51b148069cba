/** A decimal amount in whole tokens, as people write it: digits, optionally a point and more digits. */
export const decimalPattern = /^(?:0|[1-9][0-9]{0,38})(?:\.[0-9]{1,38})?$/;

/**
 * Converts whole tokens to atomic units, exactly.
 *
 * @param text such as "0.15"; must match `decimalPattern`
 * @param decimals the token's decimals
 * @returns undefined if the text has more decimals than the token (trailing zeros aside)
 */
export function parseDecimal(text: string, decimals: number): bigint | undefined {
  const [whole = '', fraction = ''] = text.split('.');
  const significant = fraction.replace(/0+$/, '');
  if (significant.length > decimals) return undefined;
  return BigInt(whole + significant.padEnd(decimals, '0'));
}
