import { toHex, type Hex } from '../bytes/hex.ts';
import { inclusionProofOf, merkleRoot } from '../merkle/inclusion.ts';
import { hashPriceRow, type PriceRow } from './price-row.ts';

/** The order of a price table: by model in UTF-16 code units, then by token. */
export function sortPriceRows<Row extends Pick<PriceRow, 'model' | 'token'>>(rows: readonly Row[]): Row[] {
  return rows.toSorted((one, other) => compare(one.model, other.model) || compare(one.token, other.token));
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** The root of a price table, which receipts name: RFC 6962 over its rows in their order, however they are given. */
export function rootOfPrices(rows: readonly PriceRow[]): Hex {
  return toHex(merkleRoot(sortPriceRows(rows).map(hashPriceRow)));
}

/** A row with its place in its table: what `BillingDisputes.disputeOvercharge` takes as `ProvenRow`. */
export interface ProvenPriceRow {
  row: PriceRow;
  /** Position in the table. */
  index: number;
  /** Number of rows of the table. */
  size: number;
  /** RFC 6962 inclusion proof, from the leaf up. */
  path: Hex[];
}

/** Proves the row of a model and a token; undefined if the table has none. */
export function provePriceRow(
  rows: readonly PriceRow[],
  { model, token }: Pick<PriceRow, 'model' | 'token'>,
): ProvenPriceRow | undefined {
  const sorted = sortPriceRows(rows);
  const index = sorted.findIndex((row) => row.model === model && row.token === token);
  const row = sorted[index];
  if (row === undefined) return undefined;
  return { row, index, size: sorted.length, path: inclusionProofOf(sorted.map(hashPriceRow), index).map(toHex) };
}
