/** A price ceiling as people write it: `0.12 AGPT/1k tokens`. */
export const priceCeilingPattern =
  /^((?:0|[1-9][0-9]{0,38})(?:\.[0-9]{1,38})?)\s+([\x21-\x2e\x30-\x7e]{1,16})\s*\/\s*(1k|1,?000|1m|1,?000,?000)\s+tokens?$/i;

/** A price ceiling, read. */
export interface PriceCeilingText {
  /** Whole units of the currency, for 1,000,000 tokens; a decimal. */
  perMillion: string;
  /** Symbol of a token, or `USD`. */
  symbol: string;
}

/**
 * Reads a price ceiling.
 * @param text must match `priceCeilingPattern`
 */
export function parsePriceCeiling(text: string): PriceCeilingText {
  const [, amount = '', symbol = '', per = ''] = priceCeilingPattern.exec(text.trim()) ?? [];
  return { perMillion: /^1(?:k|,?000)$/i.test(per) ? shiftDecimal(amount, 3) : amount, symbol };
}

/**
 * Moves the point of a decimal to the right, exactly.
 * @param text digits, optionally a point and more digits
 * @param places may be negative
 */
export function shiftDecimal(text: string, places: number): string {
  const [whole = '', fraction = ''] = text.split('.');
  const digits = whole + fraction;
  const point = whole.length + places;
  const left = point <= 0 ? '' : digits.slice(0, point).padEnd(point, '0');
  const right = point <= 0 ? '0'.repeat(-point) + digits : digits.slice(point);
  const cut = right.replace(/0+$/, '');
  return `${left.replace(/^0+(?=\d)/, '') || '0'}${cut ? `.${cut}` : ''}`;
}
