import { divideRoundingUp, usdDecimals } from '../../protocol/pricing/token-prices.ts';
import type { PriceFile } from './config-schema.ts';
import { parseDecimal } from './parse-decimal.ts';
import { requireUnique, type ConfigIssue, type ConfigPath } from './report-issues.ts';

/** A currency that is no token: its prices need an oracle, or a fixed rate for each token. */
const usd = 'USD';

/** uint96: a claim on the chain holds no more; a price beyond it is a slip of the pen. */
const maxAmount = (1n << 96n) - 1n;

/** Rates are kept with this many decimals, which is all that the pattern of an amount lets through. */
const rateDecimals = 38;

type TokenFile = PriceFile['tokens'][number];

/** What amounts of the configuration are in, and how they become a token's. */
export interface PriceCurrency {
  symbol: string;
  /**
   * Reads an amount as it is written in the file. What is wrong with it is reported, and 0 returned.
   * @returns in the currency's own smallest unit
   */
  read(text: string, path: ConfigPath): bigint;
  /**
   * An amount in a token: atomic units, rounded up; or US dollars with 8 decimals as they are, where an oracle converts.
   * @param path where the amount stands, for the report if it is beyond what a channel can hold
   */
  inToken(amount: bigint, token: TokenFile, path: ConfigPath): bigint;
}

/** Checks the tokens and says what prices are in. What is wrong is pushed to `issues`. */
export function resolveCurrency(
  file: Pick<PriceFile, 'tokens' | 'priceCurrency'>,
  issues: ConfigIssue[],
): PriceCurrency {
  const { tokens } = file;
  const [first] = tokens;
  if (first === undefined) throw new RangeError('the schema lets no empty list of tokens through');
  const symbol = file.priceCurrency ?? first.symbol;
  if (symbol !== usd && symbol !== first.symbol) {
    issues.push({ path: ['priceCurrency'], message: `has to be ${first.symbol}, the first token, or USD` });
  }
  for (const key of ['symbol', 'address'] as const) {
    requireUnique(
      tokens.map((token) => token[key]),
      (index) => ({ path: ['tokens', index, key], message: `is the ${key} of another token already` }),
      issues,
    );
  }
  tokens.forEach((token, index) => {
    const message = faultOf(token, { index, symbol });
    if (message !== undefined) issues.push({ path: ['tokens', index], message });
  });

  const decimals = symbol === usd ? usdDecimals : first.decimals;
  const bound = (amount: bigint, path: ConfigPath): bigint => {
    if (amount <= maxAmount) return amount;
    issues.push({ path, message: 'is beyond what a channel can hold (uint96)' });
    return 0n;
  };
  return {
    symbol,
    read(text, path) {
      const amount = parseDecimal(text, decimals);
      if (amount === undefined) issues.push({ path, message: `has more than the ${decimals} decimals of ${symbol}` });
      return bound(amount ?? 0n, path);
    },
    inToken(amount, token, path) {
      if (token.rate === undefined) return amount;
      const rate = parseDecimal(token.rate, rateDecimals) ?? 0n;
      const unit = 10n ** BigInt(rateDecimals + decimals);
      return bound(divideRoundingUp(amount * rate * 10n ** BigInt(token.decimals), unit), path);
    },
  };
}

/** What is wrong with how a token gets its prices. */
function faultOf({ symbol, rate, oracle }: TokenFile, at: { index: number; symbol: string }): string | undefined {
  if (symbol === usd) return 'cannot be called USD, which is the currency of oracles';
  if (rate !== undefined && oracle) return 'has a rate and an oracle; remove one of them';
  if (oracle && at.symbol !== usd) return 'has an oracle, which converts from US dollars; set priceCurrency: USD';
  if (rate !== undefined && /^[0.]+$/.test(rate)) return 'has a rate of nothing, which makes every call free';
  const isCurrency = at.index === 0 && at.symbol === symbol;
  if (isCurrency && rate !== undefined) return 'is what prices are in, so it has no rate; remove it';
  if (!isCurrency && rate === undefined && !oracle) {
    return `needs a rate (${symbol} per ${at.symbol})${at.symbol === usd ? ', or oracle: true' : ''}`;
  }
  return undefined;
}
