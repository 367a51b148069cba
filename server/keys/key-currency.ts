import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { atomicOfUsd, type UsdConversion } from '../../protocol/pricing/token-prices.ts';

/** A token that keys may spend, as the configuration has it. */
export interface KeyToken {
  symbol: string;
  address: Hex;
  decimals: number;
  oracle: boolean;
  /** One unit of the price currency: atomic units, or, with an oracle, US dollars with 8 decimals. */
  currencyUnit: bigint;
}

/** Amounts of the price currency, as LiteLLM's API has them, and what they are in tokens. */
export interface KeyCurrency {
  /**
   * An amount of the price currency in a token, rounded down: a budget is never more than was said.
   * @returns atomic units, at the price of the moment where an oracle makes it
   * @throws AutoPayError `invalid_request` if it is no amount, or too large; `price_unavailable`
   */
  toToken(amount: number | string, token: KeyToken): bigint;
  /** The reverse, as a number for reports; null while the token has no usable price. No decision may rest on it. */
  fromToken(amount: bigint, token: KeyToken): number | null;
}

const pattern = /^([0-9]{1,39})(?:\.([0-9]{1,38}))?(?:e([+-][0-9]{1,2}))?$/;
const maxAmount = 2n ** 128n - 1n;

/** @param conversionOf how US dollars become a token now; undefined without a usable price, null if it needs none */
export function createKeyCurrency(conversionOf: (token: KeyToken) => UsdConversion | null | undefined): KeyCurrency {
  function unitOf(token: KeyToken): bigint | undefined {
    const conversion = conversionOf(token);
    if (conversion === undefined) return undefined;
    return conversion === null ? token.currencyUnit : atomicOfUsd(token.currencyUnit, conversion);
  }
  return {
    toToken(amount, token) {
      const unit = unitOf(token);
      if (unit === undefined) {
        const message = `There is no current price of ${token.symbol}, so the budget cannot be converted. Try again later.`;
        throw new AutoPayError('price_unavailable', message, { facts: { token: token.address } });
      }
      // The shortest text of a number is what its sender wrote, so nothing is lost to floating point.
      const [, whole, fraction = '', exponent = '0'] = pattern.exec(String(amount)) ?? [];
      if (whole === undefined) throw notAnAmount();
      const scale = fraction.length - Number(exponent);
      const digits = BigInt(whole + fraction) * unit;
      const atomic = scale >= 0 ? digits / 10n ** BigInt(scale) : digits * 10n ** BigInt(-scale);
      if (atomic > maxAmount) throw notAnAmount();
      return atomic;
    },
    fromToken(amount, token) {
      const unit = unitOf(token);
      return unit === undefined ? null : Number((amount * 10n ** 12n) / unit) / 1e12;
    },
  };
}

function notAnAmount(): AutoPayError {
  return new AutoPayError('invalid_request', 'A budget is a number of the price currency, zero or above, as in 2.5.');
}
