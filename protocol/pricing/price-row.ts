import { AbiWriter, asOnlyArgument } from '../bytes/abi-writer.ts';
import type { Hex } from '../bytes/hex.ts';
import { hashLeaf } from '../merkle/hashes.ts';
import type { TokenPrices } from './token-prices.ts';

/** What one model costs in one token: a leaf of the published price table (contracts/types/PriceRow.sol). */
export interface PriceRow extends TokenPrices {
  /** The name that clients ask for. */
  model: string;
  /** ERC-20 token that is paid, in lower case. */
  token: Hex;
  /** Whether the prices are US dollars with 8 decimals, to be converted at the receipt's oracle round. */
  inUsd: boolean;
}

/** `abi.encode(PriceRow)`, byte for byte. */
export function encodePriceRow(row: PriceRow): Buffer {
  const tuple = new AbiWriter(10)
    .string(row.model)
    .address(row.token)
    .number(row.inUsd ? 1 : 0)
    .uint128(row.prompt)
    .uint128(row.cachedPrompt)
    .uint128(row.cacheWrite)
    .uint128(row.audioPrompt)
    .uint128(row.completion)
    .uint128(row.audioCompletion)
    .uint128(row.request);
  return asOnlyArgument(tuple.finish());
}

/** The RFC 6962 leaf hash of a row. */
export function hashPriceRow(row: PriceRow): Uint8Array {
  return hashLeaf(encodePriceRow(row));
}
