import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Counts the calls that are under way, refuses what is too many, and knows when the last one has ended. */
export interface CallGate {
  /**
   * Lets a call in.
   *
   * @returns what MUST be called once when it has ended
   * @throws AutoPayError `overloaded` if there are too many, or the relay is stopping
   */
  enter(): () => void;
  /** Lets nobody in any more, and resolves when no call is under way. */
  drain(): Promise<void>;
  readonly stopping: boolean;
}

/** @param maxConcurrentCalls calls at one time, those that drain after their client has gone included */
export function createCallGate(maxConcurrentCalls: number): CallGate {
  let calls = 0;
  let stopping = false;
  const drained = Promise.withResolvers<void>();
  return {
    enter() {
      if (stopping) throw new AutoPayError('overloaded', 'The relay is stopping. Try again in a moment.');
      if (calls >= maxConcurrentCalls) {
        throw new AutoPayError('overloaded', 'The relay has as many calls as it can take. Try again in a second.');
      }
      calls += 1;
      let inside = true;
      return () => {
        if (!inside) return;
        inside = false;
        calls -= 1;
        if (stopping && calls === 0) drained.resolve();
      };
    },
    drain() {
      stopping = true;
      if (calls === 0) drained.resolve();
      return drained.promise;
    },
    get stopping() {
      return stopping;
    },
  };
}
