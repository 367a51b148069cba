import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createRandom, type Random } from './mutate.ts';

/** How many mutated inputs each decoder gets: AUTOPAY_FUZZ_RUNS, else few, so that `npm test` stays fast. */
export const fuzzRuns: number = Number(process.env['AUTOPAY_FUZZ_RUNS'] ?? 2_000);
if (!Number.isSafeInteger(fuzzRuns) || fuzzRuns < 100) {
  throw new Error('AUTOPAY_FUZZ_RUNS has to be a whole number, at least 100.');
}
/** A machine that is busy takes its time. */
export const fuzzTimeoutMs: number = 30_000 + fuzzRuns * 6;

/** The most that memory may grow while inputs are refused, beyond the first tenth of them. */
const maxGrowthBytes = 16 * 2 ** 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What to try. */
export interface FuzzOptions<T> {
  /** How many; `fuzzRuns` unless told otherwise. */
  runs?: number;
  /** How many are tried at one time; 1 unless told otherwise. */
  parallel?: number;
  /** Makes a mutated input. */
  input: (random: Random) => T;
  /**
   * Decodes it. Returns what came out, in a word; throws an AutoPayError where it is refused, and any other error where
   * something is wrong.
   */
  check: (input: T) => string | Promise<string>;
}

/** How often each word or error code came out. */
export type FuzzCounts = ReadonlyMap<string, number>;

/**
 * Tries many mutated inputs.
 * @throws Error with the input, if anything but an AutoPayError of a status below 500 came out, or the heap grew
 */
export async function runFuzz<T>(options: FuzzOptions<T>): Promise<FuzzCounts> {
  const { runs = fuzzRuns, parallel = 1, input, check } = options;
  const random = createRandom(20_261_121);
  const counts = new Map<string, number>();
  const tryOne = async (value: T) => {
    const outcome = await outcomeOf(check, value);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  };
  const tryMany = async (count: number) => {
    for (let left = count; left > 0; left -= parallel) {
      const batch = Array.from({ length: Math.min(parallel, left) }, () => input(random));
      // All of them end before a fault is told: what they use is closed afterwards.
      const failed = (await Promise.allSettled(batch.map(tryOne))).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    }
  };
  await tryMany(Math.ceil(runs / 10));
  const before = heapBytes();
  await tryMany(runs - Math.ceil(runs / 10));
  const growth = heapBytes() - before;
  if (growth > maxGrowthBytes) throw new Error(`the heap grew by ${growth} bytes in ${runs} inputs`);
  return counts;
}

async function outcomeOf<T>(check: FuzzOptions<T>['check'], value: T): Promise<string> {
  try {
    return await check(value);
  } catch (error) {
    if (error instanceof AutoPayError && error.status < 500) return error.code;
    throw new Error(`what came out of ${JSON.stringify(value)?.slice(0, 4_000)} is no refusal`, { cause: error });
  }
}

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
