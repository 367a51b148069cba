import type { Hex } from '../protocol/bytes/hex.ts';

/** A receipt's place among those of its channel. Amounts are atomic units. */
export interface ChannelStep {
  sequence: number;
  runningTotal: bigint;
  amount: bigint;
}

/** Sequence numbers from the first to the last of them. */
export interface SequenceRange {
  first: number;
  last: number;
}

/** How many problems a channel keeps in words; it counts them all. */
const maxListed = 20;

/**
 * The receipts of one channel as the log has them, newest first, as a log is walked. What may be forgotten is: it holds the newest and
 * the oldest receipt, and what is missing between them.
 */
export class ChannelHistory {
  readonly channelId: Hex;
  readonly token: Hex;
  /** Number of receipts. */
  count = 0;
  newest: ChannelStep | undefined;
  /** The oldest so far, in the order of sequence numbers. */
  oldest: ChannelStep | undefined;
  /** The highest sequence number whose running total is what was collected. */
  collectedAt: number | undefined;
  /** What does not fit, in words. */
  readonly problems: string[] = [];
  problemCount = 0;
  /** What the escrow has paid, atomic units; undefined if that is not known. */
  readonly settled: bigint | undefined;
  #missing: SequenceRange[] = [];

  /** @param options.settled what the escrow has paid of the channel, if that is known */
  constructor(options: { channelId: Hex; token: Hex; settled?: bigint | undefined }) {
    this.channelId = options.channelId;
    this.token = options.token;
    this.settled = options.settled;
  }

  /** What no receipt was seen for, between those that were; from the highest numbers to the lowest. */
  get missing(): readonly SequenceRange[] {
    return this.#missing;
  }

  /** Takes the next older entry of the log. @returns what does not fit, in words, to be noted; undefined if it fits */
  add(step: ChannelStep): string | undefined {
    this.count += 1;
    const problem = this.#judge(step);
    if (step.runningTotal === this.settled && step.sequence > (this.collectedAt ?? 0)) this.collectedAt = step.sequence;
    return problem;
  }

  /** The log is read to its beginning: nothing older comes. */
  finish(): void {
    const { oldest } = this;
    if (oldest === undefined || oldest.sequence <= 1) return;
    this.#missing.push({ first: 1, last: oldest.sequence - 1 });
  }

  /** Notes a problem. */
  note(problem: string): void {
    this.problemCount += 1;
    if (this.problems.length < maxListed) this.problems.push(problem);
  }

  #judge(step: ChannelStep): string | undefined {
    const { sequence, runningTotal, amount } = step;
    if (sequence < 1) return 'it has no sequence number';
    const later = this.oldest;
    const before = runningTotal - amount;
    if (later === undefined) {
      this.newest = step;
      this.oldest = step;
      return describeFirst(sequence, before);
    }
    if (sequence >= later.sequence) return this.#judgeLate(sequence);
    this.oldest = step;
    if (sequence < later.sequence - 1) this.#missing.push({ first: sequence + 1, last: later.sequence - 1 });
    // Where some are missing, totals may only grow by them.
    const expected = later.runningTotal - later.amount;
    const joins = sequence === later.sequence - 1 ? runningTotal === expected : runningTotal <= expected;
    if (!joins)
      return `its running total ${runningTotal} does not lead to receipt ${later.sequence}, which begins at ${expected}`;
    return describeFirst(sequence, before);
  }

  /** An entry that stands before, in the log, one with a lower number. */
  #judgeLate(sequence: number): string {
    const hole = this.#missing.find(({ first, last }) => first <= sequence && sequence <= last);
    if (hole === undefined) {
      const isAhead = sequence > (this.newest?.sequence ?? 0);
      return isAhead
        ? `its sequence number ${sequence} is above that of a later entry: entries are out of order`
        : `its sequence number ${sequence} is used twice`;
    }
    this.#missing = this.#missing.flatMap((range) => (range === hole ? split(range, sequence) : [range]));
    return `its sequence number ${sequence} stands before lower ones in the log: entries are out of order`;
  }
}

function describeFirst(sequence: number, before: bigint): string | undefined {
  if (before < 0n) return 'its amount is above its running total';
  return sequence === 1 && before !== 0n
    ? `it is the channel's first, and its running total begins at ${before}`
    : undefined;
}

function split({ first, last }: SequenceRange, sequence: number): SequenceRange[] {
  const parts = [
    { first: sequence + 1, last },
    { first, last: sequence - 1 },
  ];
  return parts.filter((range) => range.first <= range.last);
}

/** Ranges as people write them: `4, 7 to 9`. */
export function formatRanges(ranges: readonly SequenceRange[]): string {
  const listed = ranges
    .slice(0, maxListed)
    .map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  return `${listed.join(', ')}${ranges.length > maxListed ? ', …' : ''}`;
}

/** What is known of a channel's collection. Amounts are atomic units. */
export interface CollectedFacts {
  settled: bigint;
  /** What of it the log has to account for: it was taken longer than `maxMergeDelay` ago. Asked only where more was taken than is known. */
  readDue: () => Promise<bigint>;
  /** The highest running total that is known, by the log or by receipts of the wallet. */
  known: ChannelStep | undefined;
  /** Whether a receipt's running total is what was settled. */
  isRunningTotal: boolean;
  /** Whether every receipt from 1 to `known` was looked at. */
  isWhole: boolean;
}

/**
 * Judges whether what was collected is what receipts add up to: null where what is known does not tell. The wallet may have lost
 * receipts, and API keys keep none, so what is in nobody's hands counts against the relay only once it should be in the log.
 * @throws what `readDue` throws
 */
export async function judgeCollected(facts: CollectedFacts): Promise<{ ok: boolean | null; detail: string }> {
  const { settled, known, isRunningTotal, isWhole, readDue } = facts;
  const total = known?.runningTotal ?? 0n;
  if (settled === 0n)
    return { ok: true, detail: `nothing was collected yet of the ${total} that the receipts add up to` };
  if (isRunningTotal) return { ok: true, detail: `the escrow has paid ${settled}, the running total of a receipt` };
  if (settled > total) {
    const due = await readDue();
    if (due > total) {
      return {
        ok: false,
        detail: `the escrow has paid ${due} longer ago than a receipt may take into the log, and the receipts add up to ${total}: ${due - total} was collected beyond them (autopay dispute open settled-beyond-receipt)`,
      };
    }
    return {
      ok: null,
      detail: `not checked: the escrow has paid ${settled}, more than the ${total} that the receipts add up to; what was taken last need not be in the log yet, so verify again after the next anchor`,
    };
  }
  if (isWhole) return { ok: false, detail: `the escrow has paid ${settled}, which is the running total of no receipt` };
  return {
    ok: null,
    detail: `not checked: the escrow has paid ${settled}, the running total of an older receipt than were looked at`,
  };
}
