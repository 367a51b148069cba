import type { Hex } from '../protocol/bytes/hex.ts';
import { priceBookAbi } from '../protocol/abi/price-book.ts';
import { priceOracleAbi } from '../protocol/abi/price-oracle.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { costOfUsage, type UsdConversion } from '../protocol/pricing/token-prices.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import type { PublicClient } from 'viem';
import { Differences, type Claim } from './claims.ts';
import type { Settings } from './read-settings.ts';

/** A charge whose price was in US dollars: only the chain knows what they were worth. */
export interface ConvertedCharge {
  index: number;
  receipt: CallReceipt;
  row: PriceRow;
  /** What was reserved, atomic units; null if the call is not known. */
  quote: bigint | null;
}

/** The charges under one price table that were admitted first and last: entry and unix milliseconds. */
export interface TableUse {
  first: { index: number; atMs: number };
  last: { index: number; atMs: number };
}

/** What one pass over the charges says of prices. */
export interface PriceCheck {
  /** Recomputes one charge, or leaves it to `checkConversions`. */
  check(charge: { index: number; receipt: CallReceipt; quote: bigint | null }): void;
  /** Charges that are left to `checkConversions`. */
  converted: ConvertedCharge[];
  /** By root: each price table that something was charged under. */
  tables: Map<Hex, TableUse>;
  toClaim(): Claim;
}

/**
 * Recomputes prices of receipts that name the table of the present configuration, or one that the relay kept. What was charged under
 * any other cannot be recomputed, and is a difference: a relay keeps each table that it sells under.
 */
export function createPriceCheck({
  rows,
  tables: kept,
  tokens,
}: Pick<Settings, 'rows' | 'tables' | 'tokens'>): PriceCheck {
  const known = new Map(
    [...kept, [rootOfPrices(rows), rows] as const].map(([root, table]) => [root, indexRows(table)]),
  );
  const differences = new Differences();
  const converted: ConvertedCharge[] = [];
  const tables = new Map<Hex, TableUse>();
  let checked = 0;
  let others = 0;
  return {
    converted,
    tables,
    check({ index, receipt, quote }) {
      if (receipt.amount > 0n) noteTable(tables, { index, receipt });
      const table = known.get(receipt.priceRoot);
      if (table === undefined && receipt.amount > 0n) {
        const { amount, priceRoot } = receipt;
        return differences.add(
          `entry ${index} charges ${amount} under the price table ${priceRoot}, which is not here: put it back as prices/${priceRoot}.json`,
        );
      }
      if (table === undefined) {
        others += 1;
        return;
      }
      const row = table.byModel.get(`${receipt.modelAsked}/${receipt.token}`);
      if (row?.inUsd) return void converted.push({ index, receipt, row, quote });
      // A free model has no row.
      if (!row && (receipt.amount > 0n || table.sold.has(receipt.modelAsked))) {
        return differences.add(
          `entry ${index}: ${receipt.modelAsked} in ${receipt.token} is in no row of its price table`,
        );
      }
      compare({
        index,
        receipt,
        cost: row ? costOfUsage(receipt.usage, { prices: row, conversion: null }) : 0n,
        quote,
      });
    },
    toClaim: () =>
      differences.toClaim(
        'prices_recomputed',
        `${checked} amounts are price times usage under ${known.size} price table(s), in ${tokens.length} token(s)${others > 0 ? `; ${others} of nothing name tables that are not here` : ''}`,
      ),
  };

  function compare(charge: { index: number; receipt: CallReceipt; cost: bigint; quote: bigint | null }): void {
    requireCost(differences, charge);
    differences.require(
      charge.receipt.oracleRound === 0n,
      () => `entry ${charge.index} names an oracle round for nothing`,
    );
    checked += 1;
  }
}

function indexRows(rows: readonly PriceRow[]) {
  return {
    byModel: new Map(rows.map((row) => [`${row.model}/${row.token}`, row])),
    sold: new Set(rows.map(({ model }) => model)),
  };
}

function noteTable(
  tables: Map<Hex, TableUse>,
  { index, receipt: { priceRoot, admittedAtMs: atMs } }: { index: number; receipt: CallReceipt },
): void {
  const use = tables.get(priceRoot) ?? { first: { index, atMs }, last: { index, atMs } };
  if (atMs < use.first.atMs) use.first = { index, atMs };
  if (atMs > use.last.atMs) use.last = { index, atMs };
  tables.set(priceRoot, use);
}

/**
 * Each price table was in force while calls were admitted under it. A table has one time, without gaps, so the first and the
 * last call speak for all.
 */
export async function checkTables(options: {
  client: PublicClient;
  settings: { contracts: { priceBook: Hex } };
  tables: ReadonlyMap<Hex, TableUse>;
}): Promise<Claim> {
  const { client, settings, tables } = options;
  const differences = new Differences();
  const book = { address: settings.contracts.priceBook, abi: priceBookAbi } as const;
  for (const [root, { first, last }] of tables) {
    for (const { index, atMs } of [first, last]) {
      const args = [root, BigInt(Math.floor(atMs / 1_000))] as const;
      const isInForce = await client.readContract({ ...book, functionName: 'isInForce', args });
      differences.require(
        isInForce,
        () => `entry ${index} names the price table ${root}, which was not in force when it was admitted`,
      );
    }
  }
  return differences.toClaim(
    'tables_in_force',
    `${tables.size} price table(s) were in force from the first call admitted under them to the last`,
  );
}

/** A charge is what its tokens cost, or, if that is less, what was reserved. */
function requireCost(
  differences: Differences,
  { index, receipt, cost, quote }: { index: number; receipt: CallReceipt; cost: bigint; quote: bigint | null },
): void {
  const expected = quote !== null && quote < cost ? quote : cost;
  differences.require(
    receipt.amount === expected,
    () => `entry ${index} charges ${receipt.amount}, and its tokens cost ${expected}`,
  );
}

/** Each charge in US dollars was converted at the oracle's round that was current when the call was admitted. */
export async function checkConversions(options: {
  client: PublicClient;
  settings: Pick<Settings, 'contracts' | 'tokens'>;
  converted: readonly ConvertedCharge[];
}): Promise<Claim> {
  const { client, settings, converted } = options;
  const differences = new Differences();
  const readRound = createRoundReader(client, settings);
  for (const { index, receipt, row, quote } of converted) {
    const conversion = await readRound(receipt);
    if (!conversion) {
      differences.add(`entry ${index} names round ${receipt.oracleRound}, which was not current when it was admitted`);
      continue;
    }
    requireCost(differences, { index, receipt, cost: costOfUsage(receipt.usage, { prices: row, conversion }), quote });
  }
  return differences.toClaim(
    'conversions_recomputed',
    `${converted.length} amounts were converted from US dollars at the round that was current at the oracle`,
  );
}

type ReadRound = (
  receipt: Pick<CallReceipt, 'token' | 'oracleRound' | 'admittedAtMs'>,
) => Promise<UsdConversion | undefined>;

/** Asks the oracle for the round that a receipt names; undefined if it was not current when the call was admitted. */
export function createRoundReader(
  client: PublicClient,
  { contracts, tokens }: { contracts: { priceOracle: Hex }; tokens: readonly { address: Hex; decimals: number }[] },
): ReadRound {
  return async ({ token, oracleRound, admittedAtMs }) => {
    const tokenDecimals = tokens.find(({ address }) => address === token)?.decimals;
    // A round is a uint80.
    if (tokenDecimals === undefined || oracleRound >> 80n !== 0n) return undefined;
    const [{ answer, decimals }, wasCurrent] = await client.readContract({
      address: contracts.priceOracle,
      abi: priceOracleAbi,
      functionName: 'priceAt',
      args: [token, oracleRound, BigInt(Math.floor(admittedAtMs / 1_000))],
    });
    return wasCurrent ? { answer, answerDecimals: decimals, tokenDecimals } : undefined;
  };
}
