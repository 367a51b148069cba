import { figure, type Figure } from '../report.ts';
import type { Load, Measured } from './measure-subject.ts';

/** What the goals are relative to. */
export interface Yardsticks {
  /** This and the next are undefined where they were not measured. */
  express: Load | undefined;
  /** Undefined where npm did not give it. */
  portkey: Load | undefined;
  /** Median of the disk's own, microseconds. */
  fsyncUs: number;
}

const expressShare = 0.5;
const portkeyTimes = 3;
const addedP50Us = 1_000;
const addedP99Us = 5_000;

/**
 * The figures of a subject under one kind of call.
 * @param yardsticks given for the relay, which has goals
 */
export function describeSpeed(
  name: string,
  { burst, directHalf, half, load }: Measured,
  yardsticks?: Yardsticks,
): Figure[] {
  const throughput = load.perSecond;
  const addedP50 = half.p50Us - directHalf.p50Us;
  const addedP99 = half.p99Us - directHalf.p99Us;
  // Not to the tenth of a microsecond: a goal is read by people.
  const p50Goal = yardsticks && { atMost: Math.round(yardsticks.fsyncUs + addedP50Us) };
  return [
    figure(`${name}: throughput`, throughput, 'req/s'),
    ...(yardsticks ? compare(name, throughput, yardsticks) : []),
    figure(`${name}: added p50 at half load`, addedP50, 'µs', p50Goal),
    figure(`${name}: added p99 at half load`, addedP99, 'µs', yardsticks && { atMost: addedP99Us }),
    figure(`${name}: added p50 to first chunk at half load`, half.firstChunkP50Us - directHalf.firstChunkP50Us, 'µs'),
    figure(`${name}: added p99 to first chunk at half load`, half.firstChunkP99Us - directHalf.firstChunkP99Us, 'µs'),
    ...(burst === null
      ? []
      : [
          figure(`${name}: ${burst.streams} streams at one time`, burst.load.perSecond, 'req/s'),
          figure(`${name}: ${burst.streams} streams at one time, p99 to first chunk`, burst.load.firstChunkP99Us, 'µs'),
        ]),
    ...Object.entries(load.cpu ?? {})
      .filter(([, us]) => us >= 0.5)
      .map(([thread, us]) => figure(`${name}: CPU per call, ${thread}`, us, 'µs')),
  ];
}

function compare(name: string, throughput: number, { express, portkey }: Yardsticks): Figure[] {
  return [
    ...(express
      ? [figure(`${name}: throughput / express`, throughput / express.perSecond, 'ratio', { atLeast: expressShare })]
      : []),
    ...(portkey
      ? [figure(`${name}: throughput / portkey`, throughput / portkey.perSecond, 'ratio', { atLeast: portkeyTimes })]
      : []),
  ];
}
