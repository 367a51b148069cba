import type { Hex } from '../protocol/bytes/hex.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { costOfUsage, type UsdConversion } from '../protocol/pricing/token-prices.ts';
import type { EntryFacts } from './scan-entry.ts';

/** A charge whose price is to be judged. */
export type PricedEntry = Pick<
  EntryFacts,
  'admittedAtMs' | 'amount' | 'modelAsked' | 'oracleRound' | 'priceRoot' | 'token' | 'usage'
>;

/** Where conversions come from: undefined for a round that was not current at that time. */
export type ReadRound = (
  charge: Pick<PricedEntry, 'token' | 'oracleRound' | 'admittedAtMs'>,
) => Promise<UsdConversion | undefined>;

/** When something was used, unix milliseconds. */
export interface UseTime {
  firstMs: number;
  lastMs: number;
}

/** A round of the oracle that charges were converted at. */
interface RoundUse extends UseTime {
  token: Hex;
  oracleRound: bigint;
  conversion: UsdConversion | undefined;
}

/** Judges the prices of many charges, asking about each table and each oracle round once. */
export interface PriceJudge {
  /** When each table was sold under. */
  readonly tables: ReadonlyMap<Hex, UseTime>;
  /** How many charges go by tables that are not at hand. */
  readonly unknownCount: number;
  /** How many amounts were recomputed. */
  readonly judgedCount: number;
  /** Judges a charge; what waits for a round of the oracle is judged by `settle`. */
  judge(charge: PricedEntry, onProblem: (problem: string) => void): void;
  /** Asks the oracle for the rounds that charges wait for, and judges these. */
  settle(): Promise<void>;
  /** Asks whether each round was current for the first and the last charge that went by it. */
  checkRounds(): Promise<string[]>;
}

/** @param options.tables price tables, from anywhere: receipts name them by their roots */
export function createPriceJudge(options: {
  tables: readonly (readonly PriceRow[])[];
  /** Without it, charges in US dollars count as unknown. */
  readRound?: ReadRound;
}): PriceJudge {
  const { readRound } = options;
  const rowsByRoot = new Map(options.tables.map((rows) => [rootOfPrices(rows), indexRows(rows)]));
  const tables = new Map<Hex, UseTime>();
  const rounds = new Map<string, RoundUse>();
  const counts = { unknown: 0, judged: 0 };
  let waiting: { charge: PricedEntry; row: PriceRow; onProblem: (problem: string) => void }[] = [];

  function compare(charge: PricedEntry, row: PriceRow, conversion: UsdConversion | null): string | undefined {
    counts.judged += 1;
    const cost = costOf(charge, row, conversion);
    if (cost === undefined) return 'the parts of its usage exceed the whole';
    return charge.amount <= cost ? undefined : `it charges ${charge.amount}, and its tokens cost ${cost}`;
  }

  return {
    tables,
    get unknownCount() {
      return counts.unknown;
    },
    get judgedCount() {
      return counts.judged;
    },
    judge(charge, onProblem) {
      if (charge.amount === 0n) return;
      noteUse(tables, charge.priceRoot, charge.admittedAtMs);
      const rows = rowsByRoot.get(charge.priceRoot);
      const row = rows?.get(keyOf(charge.modelAsked, charge.token));
      if (rows === undefined || (row?.inUsd && !readRound)) counts.unknown += 1;
      else if (row === undefined) onProblem(`${charge.modelAsked} in ${charge.token} is in no row of its price table`);
      else if (row.inUsd) waiting.push({ charge, row, onProblem });
      else {
        const problem = compare(charge, row, null);
        if (problem !== undefined) onProblem(problem);
      }
    },
    async settle() {
      for (const { charge, row, onProblem } of waiting) {
        const { token, oracleRound, admittedAtMs } = charge;
        const key = `${token}/${oracleRound}`;
        const known = rounds.get(key);
        const conversion = known ? known.conversion : await readRound?.(charge);
        const use = known ?? { firstMs: admittedAtMs, lastMs: admittedAtMs, token, oracleRound, conversion };
        use.firstMs = Math.min(use.firstMs, admittedAtMs);
        use.lastMs = Math.max(use.lastMs, admittedAtMs);
        rounds.set(key, use);
        const problem = conversion
          ? compare(charge, row, conversion)
          : `round ${oracleRound} was not the oracle's current one when it was admitted`;
        if (problem !== undefined) onProblem(problem);
      }
      waiting = [];
    },
    async checkRounds() {
      const problems: string[] = [];
      for (const { token, oracleRound, conversion, firstMs, lastMs } of rounds.values()) {
        for (const admittedAtMs of conversion && readRound ? [firstMs, lastMs] : []) {
          if ((await readRound?.({ token, oracleRound, admittedAtMs })) === undefined) {
            problems.push(`round ${oracleRound} of ${token} was not the oracle's current one at ${admittedAtMs} ms`);
          }
        }
      }
      return problems;
    },
  };
}

/** What a charge's tokens cost; undefined if the parts of its usage exceed the whole. */
export function costOf(
  charge: Pick<PricedEntry, 'usage'>,
  prices: PriceRow,
  conversion: UsdConversion | null,
): bigint | undefined {
  try {
    return costOfUsage(charge.usage, { prices, conversion });
  } catch {
    return undefined;
  }
}

function indexRows(rows: readonly PriceRow[]): Map<string, PriceRow> {
  return new Map(rows.map((row) => [keyOf(row.model, row.token), row]));
}

function keyOf(model: string, token: Hex): string {
  return `${token}/${model}`;
}

/** Widens the time in which something was used. */
export function noteUse<Key>(uses: Map<Key, UseTime>, key: Key, atMs: number): void {
  const use = uses.get(key);
  if (use === undefined) {
    uses.set(key, { firstMs: atMs, lastMs: atMs });
    return;
  }
  if (atMs < use.firstMs) use.firstMs = atMs;
  if (atMs > use.lastMs) use.lastMs = atMs;
}
