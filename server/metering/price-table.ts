import canonicalize from 'canonicalize';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { tokensPerPrice, type TokenPrices } from '../../protocol/pricing/token-prices.ts';

/** A model and what it costs. */
export interface PricedModel {
  /** The name that clients ask for. */
  model: string;
  /** Null: free. */
  prices: TokenPrices | null;
}

/** The token that prices are in. */
export interface PriceToken {
  address: Hex;
  symbol: string;
  decimals: number;
}

/** One row of the price table: the members `id` and `pricing` of `GET /v1/models`, exactly. Amounts are atomic units. */
export interface PriceRow {
  id: string;
  pricing: {
    token: Hex;
    symbol: string;
    decimals: number;
    /** The number of tokens that a price is for. */
    per_tokens: number;
    prompt: string;
    cached_prompt: string;
    cache_write: string;
    audio_prompt: string;
    completion: string;
    audio_completion: string;
    /** For each call. */
    request: string;
  };
}

/** A published price table. */
export interface PriceTable {
  /** In the order of the tree. */
  rows: readonly PriceRow[];
  /** What receipts name. */
  root: Hex;
}

const noPrices: TokenPrices = {
  prompt: 0n,
  cachedPrompt: 0n,
  cacheWrite: 0n,
  audioPrompt: 0n,
  completion: 0n,
  audioCompletion: 0n,
  request: 0n,
};

/**
 * Makes the price table. Its root is the RFC 6962 Merkle tree hash over the rows' RFC 8785 JSON (UTF-8), the rows sorted
 * by `id` in UTF-16 code units: whoever has `GET /v1/models` can compute it.
 */
export function buildPriceTable(options: { models: readonly PricedModel[]; token: PriceToken }): PriceTable {
  const rows = options.models.map((model) => toRow(model, options.token));
  rows.sort((one, other) => (one.id < other.id ? -1 : 1));
  return { rows, root: rootOfRows(rows) };
}

/** The Merkle root over rows in their given order. */
function rootOfRows(rows: readonly PriceRow[]): Hex {
  const tree = new Frontier();
  for (const row of rows) tree.append(hashLeaf(encodeRow(row)));
  return toHex(tree.root());
}

/** The bytes of a row that are hashed. */
export function encodeRow(row: PriceRow): Buffer {
  return Buffer.from(canonicalize(row) ?? '', 'utf8');
}

function toRow({ model, prices }: PricedModel, token: PriceToken): PriceRow {
  const of = prices ?? noPrices;
  return {
    id: model,
    pricing: {
      token: token.address,
      symbol: token.symbol,
      decimals: token.decimals,
      per_tokens: Number(tokensPerPrice),
      prompt: String(of.prompt),
      cached_prompt: String(of.cachedPrompt),
      cache_write: String(of.cacheWrite),
      audio_prompt: String(of.audioPrompt),
      completion: String(of.completion),
      audio_completion: String(of.audioCompletion),
      request: String(of.request),
    },
  };
}
