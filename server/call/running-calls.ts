import type { CallAnswer } from '../ledger/ledger.ts';
import { KeptBytes } from './keep-answer.ts';
import { LateFailures } from './late-failures.ts';

/** The most requests that wait for the answer of one call; each takes the place of a call, and was paid for once only. */
export const maxWaitingPerCall = 64;
/** The most bytes of kept answers that are on their way to clients again: asking for them costs nothing. */
export const maxReplayedBytes: number = 256 * 2 ** 20;
/** How many calls the books are asked about at one time: each may bring a whole answer into memory before its size is known. */
export const maxQuestions = 8;

/** What the calls of this process know of each other, so that repeated requests can wait for the first; all of it bounded. */
export class RunningCalls {
  readonly #ends = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, number>();
  readonly #questions = new Map<string, Promise<CallAnswer | undefined>>();
  readonly #line: (() => void)[] = [];
  #asking = 0;
  #replayedBytes = 0;
  /** Room for the streams that are kept as they pass. */
  readonly kept = new KeptBytes();
  /** Answers that broke off at their provider's, by payer. */
  readonly lateFailures = new LateFailures();

  /** Runs a call; until it has ended, `find` gives its end. */
  async run(callId: string, call: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ends.set(callId, promise);
    try {
      await call();
    } finally {
      this.#ends.delete(callId);
      resolve();
    }
  }

  /** Resolves when the call has ended, however it did; undefined if it does not run here. */
  find(callId: string): Promise<void> | undefined {
    return this.#ends.get(callId);
  }

  /**
   * Counts one more that waits for a call, of this process or another.
   * @returns what MUST be called once when it waits no longer; undefined if too many wait already
   */
  beginWait(callId: string): (() => void) | undefined {
    const count = this.#waiting.get(callId) ?? 0;
    if (count >= maxWaitingPerCall) return undefined;
    this.#waiting.set(callId, count + 1);
    return () => {
      const left = (this.#waiting.get(callId) ?? 1) - 1;
      if (left > 0) this.#waiting.set(callId, left);
      else this.#waiting.delete(callId);
    };
  }

  /**
   * Asks about a call; those who ask while the books are being asked share the answer, and its memory. Questions about more
   * than `maxQuestions` calls wait for each other.
   */
  async ask(
    callId: string,
    findAnswer: (callId: string) => Promise<CallAnswer | undefined>,
  ): Promise<CallAnswer | undefined> {
    const asked = this.#questions.get(callId);
    if (asked) return asked;
    const question = this.#inTurn(() => findAnswer(callId)).finally(() => this.#questions.delete(callId));
    this.#questions.set(callId, question);
    return question;
  }

  async #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    // Who leaves hands its place to the next in line.
    if (this.#asking < maxQuestions) this.#asking += 1;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
    try {
      return await ask();
    } finally {
      const next = this.#line.shift();
      if (next) next();
      else this.#asking -= 1;
    }
  }

  /**
   * Makes room for an answer that is sent again.
   * @returns what MUST be called once when it has been sent; undefined if there is no room
   */
  beginReplay(bytes: number): (() => void) | undefined {
    if (this.#replayedBytes + bytes > maxReplayedBytes) return undefined;
    this.#replayedBytes += bytes;
    return () => {
      this.#replayedBytes -= bytes;
    };
  }
}
