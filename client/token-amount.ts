import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** How a token writes its amounts. */
export interface TokenUnit {
  symbol: string;
  /** Atomic units per whole token, as a power of ten. */
  decimals: number;
}

/** The most digits after the point that are shown even when they are zero, so that columns of money line up. */
const shownDigits = 6;

/** An amount for people: `0.001234 USDC`. Exact: digits beyond the sixth are shown unless they are zero. */
export function formatAmount(amountAtomic: bigint, token: TokenUnit): string {
  const sign = amountAtomic < 0n ? '-' : '';
  const digits = (amountAtomic < 0n ? -amountAtomic : amountAtomic).toString().padStart(token.decimals + 1, '0');
  const whole = digits.slice(0, digits.length - token.decimals);
  const fraction = digits.slice(digits.length - token.decimals);
  const kept = fraction.slice(0, shownDigits) + fraction.slice(shownDigits).replace(/0+$/, '');
  return `${sign}${whole}${kept === '' ? '' : `.${kept}`} ${token.symbol}`;
}

/** An amount in a sentence: `1,000,000 AGPT`, `0.05 AGPT`. Exact, without the zeros that line columns up. */
export function formatShort(amountAtomic: bigint, token: TokenUnit): string {
  const [whole = '', fraction = ''] = (formatAmount(amountAtomic, token).split(' ')[0] ?? '').split('.');
  const kept = fraction.replace(/0+$/, '');
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${kept === '' ? '' : `.${kept}`} ${token.symbol}`;
}

/**
 * Atomic units of a decimal amount in whole tokens, such as `"2.5"`. Exact.
 * @throws AutoPayError `invalid_argument` if it is not a plain decimal number, or has more digits than the token.
 */
export function parseAmount(text: string, token: TokenUnit): bigint {
  const match = /^(\d{1,30})(?:\.(\d{1,30}))?$/.exec(text.trim());
  const fraction = match?.[2] ?? '';
  if (!match || fraction.length > token.decimals) {
    throw new AutoPayError(
      'invalid_argument',
      `Write an amount of ${token.symbol} as a decimal number with at most ${token.decimals} digits after the point, such as 2.5.`,
    );
  }
  return BigInt((match[1] ?? '') + fraction.padEnd(token.decimals, '0'));
}
