import canonicalize from 'canonicalize';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { merkleRoot } from '../protocol/merkle/inclusion.ts';
import type { TokenPrices } from '../protocol/pricing/token-prices.ts';
import type { Settings } from './read-settings.ts';

/**
 * The root of the price table that a configuration publishes: RFC 6962 over the RFC 8785 JSON of its rows, sorted by id
 * (docs/PROTOCOL.md, "Price table").
 */
export function priceRootOf({ prices, token }: Pick<Settings, 'prices' | 'token'>): Hex {
  const sorted = [...prices].sort(([one], [other]) => (one < other ? -1 : 1));
  return toHex(
    merkleRoot(
      sorted.map(([id, row]) => hashLeaf(Buffer.from(canonicalize({ id, pricing: pricingOf(row, token) }) ?? ''))),
    ),
  );
}

function pricingOf(prices: TokenPrices | null, token: Settings['token']) {
  const of = (part: keyof TokenPrices) => (prices?.[part] ?? 0n).toString();
  return {
    token: token.address,
    symbol: token.symbol,
    decimals: token.decimals,
    per_tokens: 1_000_000,
    prompt: of('prompt'),
    cached_prompt: of('cachedPrompt'),
    cache_write: of('cacheWrite'),
    audio_prompt: of('audioPrompt'),
    completion: of('completion'),
    audio_completion: of('audioCompletion'),
    request: of('request'),
  };
}
