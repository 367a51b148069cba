import pino, { type Logger } from 'pino';

/** The relay's log: JSON lines. Credentials and keys MUST NOT be passed to it. */
export type Log = Pick<Logger, 'fatal' | 'error' | 'warn' | 'info' | 'debug'>;

/**
 * A log on stderr, which leaves stdout to what programs read.
 *
 * @param level least level that is written, such as "info" or "debug"
 */
export function createLog(level: string): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** An error as it is logged. */
export interface ErrorFacts {
  name: string;
  message: string;
  code?: string;
  /** Where it was made, innermost first. */
  at?: string[];
  cause?: ErrorFacts;
}

const maxCauses = 4;
const maxFrames = 8;

/**
 * What the log says of an error. Of viem's errors only the short message: the long one repeats the endpoint's address,
 * which may carry a key, and the arguments.
 */
export function describeError(error: unknown, depth = 0): ErrorFacts {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error).slice(0, 500) };
  const { code, shortMessage } = error as { code?: unknown; shortMessage?: unknown };
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return {
    name: error.name,
    message: (typeof shortMessage === 'string' ? shortMessage : error.message).slice(0, 500),
    ...(typeof code === 'string' && { code }),
    at: frames.slice(0, maxFrames).map((line) => line.slice(7)),
    ...(error.cause !== undefined && depth < maxCauses && { cause: describeError(error.cause, depth + 1) }),
  };
}
