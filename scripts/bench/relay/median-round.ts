import type { Load, Measured } from './measure-subject.ts';

/** The middle value; of an even number the lower of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/**
 * A subject's rounds as one: each figure is the median of the rounds, counts are their sum. A machine whose pace changes while the
 * benchmark runs changes it for all subjects of a round.
 */
export function medianRound(rounds: readonly [Measured, ...Measured[]]): Measured {
  const [first] = rounds;
  const sum = (name: 'answers' | 'receipts') => rounds.reduce((total, round) => total + round[name], 0);
  return {
    load: medianLoad(rounds.map(({ load }) => load)),
    half: medianLoad(rounds.map(({ half }) => half)),
    directHalf: medianLoad(rounds.map(({ directHalf }) => directHalf)),
    burst: first.burst && {
      streams: first.burst.streams,
      load: medianLoad(rounds.flatMap(({ burst }) => burst?.load ?? [])),
    },
    answers: sum('answers'),
    receipts: sum('receipts'),
  };
}

function medianLoad(loads: readonly Load[]): Load {
  const median = (name: Exclude<keyof Load, 'cpu'>) => medianOf(loads.map((load) => load[name]));
  const usages = loads.flatMap(({ cpu }) => cpu ?? []);
  const thread = (name: keyof NonNullable<Load['cpu']>) => medianOf(usages.map((usage) => usage[name]));
  return {
    perSecond: median('perSecond'),
    ...{ p50Us: median('p50Us'), p99Us: median('p99Us') },
    ...{ firstChunkP50Us: median('firstChunkP50Us'), firstChunkP99Us: median('firstChunkP99Us') },
    cpu:
      usages.length === 0
        ? null
        : {
            main: thread('main'),
            ledger: thread('ledger'),
            signatures: thread('signatures'),
            others: thread('others'),
          },
  };
}
