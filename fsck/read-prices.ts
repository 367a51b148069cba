import type { Hex } from '../protocol/bytes/hex.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import type { TokenPrices } from '../protocol/pricing/token-prices.ts';
import { address, count, list, mapping, text, type Mapping } from './read-values.ts';

/** A token that a relay is paid in. */
export interface SettingsToken {
  symbol: string;
  address: Hex;
  decimals: number;
}

/** A decimal number, exactly: `digits` divided by 10^`scale`. */
interface Decimal {
  digits: bigint;
  scale: number;
}

/** How a token's prices come from those in the file; `inUsd` leaves the conversion to an oracle. */
interface Conversion {
  token: SettingsToken;
  inUsd: boolean;
  rate: Decimal;
}

const one: Decimal = { digits: 1n, scale: 0 };
const usdDecimals = 8;

/**
 * Makes the rows of the price table from a configuration (docs/PROTOCOL.md, "Price table"), by itself: what the relay makes
 * of that file is among the things that are checked. Routes that other files bring along are not in it.
 */
export function readPriceRows(yaml: Mapping): { tokens: SettingsToken[]; rows: PriceRow[] } {
  const conversions = list(yaml['tokens']).map((token): Conversion => {
    const { symbol, address: at, decimals, rate, oracle } = mapping(token);
    return {
      token: { symbol: text(symbol), address: address(at), decimals: count(decimals) },
      inUsd: oracle === true,
      rate: rate === undefined ? one : readDecimal(text(rate)),
    };
  });
  const prices = yaml['prices'] === undefined ? {} : mapping(yaml['prices']);
  const paid = list(yaml['routes'] ?? (yaml['import'] === undefined ? undefined : []))
    .map(mapping)
    .map((route) => withPrice(route, prices[text(route['model'])]))
    // One that stands for other routes has no price of its own.
    .filter((route) => route['free'] !== true && route['auto'] === undefined);
  const rows = paid.flatMap((route) => [
    ...conversions.map((conversion) => readRow(route, conversion)),
    ...(route['cache'] === undefined ? [] : conversions.map((conversion) => readRow(cached(route), conversion))),
  ]);
  return { tokens: conversions.map(({ token }) => token), rows };
}

/** A route with what `prices` says of it. */
function withPrice(route: Mapping, said: unknown): Mapping {
  if (said === undefined) return route;
  const price = mapping(said);
  return price['free'] === true ? { ...route, free: true } : { ...route, price };
}

/** What a route's answers from the cache cost: each the same, whatever its tokens. */
function cached(route: Mapping): Mapping {
  const { price } = mapping(route['cache']);
  return { model: `${text(route['model'])}@cache`, price: { prompt: '0', completion: '0', request: price } };
}

function readRow(route: Mapping, { token, inUsd, rate }: Conversion): PriceRow {
  const price = mapping(route['price']);
  const amount = (key: string) => scale(readDecimal(text(price[key])), rate, inUsd ? usdDecimals : token.decimals);
  const part = (key: string, whole: bigint) => (price[key] === undefined ? whole : amount(key));
  const prompt = amount('prompt');
  const completion = amount('completion');
  const prices: TokenPrices = {
    prompt,
    completion,
    cachedPrompt: part('cachedPrompt', prompt),
    cacheWrite: part('cacheWrite', prompt),
    audioPrompt: part('audioPrompt', prompt),
    audioCompletion: part('audioCompletion', completion),
    request: part('request', 0n),
  };
  return { model: text(route['model']), token: token.address, inUsd, ...prices };
}

/** Amount times rate in units of 10^-decimals, rounded up. */
function scale(amount: Decimal, rate: Decimal, decimals: number): bigint {
  const dividend = amount.digits * rate.digits * 10n ** BigInt(decimals);
  const divisor = 10n ** BigInt(amount.scale + rate.scale);
  return dividend / divisor + (dividend % divisor === 0n ? 0n : 1n);
}

function readDecimal(decimal: string): Decimal {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(decimal);
  if (match === null) throw new TypeError(`${decimal} is no decimal number`);
  const fraction = match[2] ?? '';
  return { digits: BigInt(`${match[1]}${fraction}`), scale: fraction.length };
}
