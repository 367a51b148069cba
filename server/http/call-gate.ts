import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Counts the calls that are under way, refuses what is too many, and knows when the last one has ended. */
export interface CallGate {
  /**
   * Begins the check of a payment. It takes no place of a call, but the books stay open until it has ended.
   *
   * @returns what MUST be called once when it has ended
   * @throws AutoPayError `overloaded` if there are too many, or the relay is stopping
   */
  beginCheck(): () => void;
  /**
   * Lets a call in.
   *
   * @returns what MUST be called once when it has ended
   * @throws AutoPayError `overloaded` if there are too many, or the relay is stopping
   */
  enter(): () => void;
  /** Lets nobody in any more, and resolves when no call or check is under way. */
  drain(): Promise<void>;
  readonly stopping: boolean;
}

/** Payments that are checked at one time: a check may wait for the chain, and `HEAD` has no body that would bound it. */
const maxChecks = 1_024;

/** @param maxConcurrentCalls calls at one time, those that drain after their client has gone included */
export function createCallGate(maxConcurrentCalls: number): CallGate {
  const inside = { calls: 0, checks: 0 };
  let stopping = false;
  const drained = Promise.withResolvers<void>();
  const resolveIfEmpty = () => {
    if (stopping && inside.calls + inside.checks === 0) drained.resolve();
  };
  const begin = (kind: keyof typeof inside) => {
    if (stopping) throw new AutoPayError('overloaded', 'The relay is stopping. Try again in a moment.');
    inside[kind] += 1;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      inside[kind] -= 1;
      resolveIfEmpty();
    };
  };
  return {
    beginCheck() {
      if (!stopping && inside.checks >= maxChecks) {
        throw new AutoPayError('overloaded', 'The relay checks as many payments as it can. Try again in a second.');
      }
      return begin('checks');
    },
    enter() {
      if (!stopping && inside.calls >= maxConcurrentCalls) {
        throw new AutoPayError('overloaded', 'The relay has as many calls as it can take. Try again in a second.');
      }
      return begin('calls');
    },
    drain() {
      stopping = true;
      resolveIfEmpty();
      return drained.promise;
    },
    get stopping() {
      return stopping;
    },
  };
}
