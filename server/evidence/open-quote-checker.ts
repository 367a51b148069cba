import type { Worker } from 'node:worker_threads';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { fromPlainError } from '../ledger/messages.ts';
import { startThread } from '../ledger/start-thread.ts';
import type { CheckedQuote, CheckQuote, QuoteAsk } from './check-quote.ts';
import type { QuoteAnswer, QuoteQuestion } from './quote-worker.ts';

/** The most quotes that are under way; a relay asks for one a day of each machine's key. */
export const maxQuotes = 64;

/** How long a thread may take beyond what it waits for PCCS: its start on a busy machine, and the quotes before. */
const defaultPatienceMs = 10_000;

/** Hostile collateral ends the thread instead of the relay. */
const maxHeapMb = 128;

/** Checks quotes beside the main thread. */
export interface QuoteChecker {
  /** @throws AutoPayError as `checkQuote`; `overloaded` if too many are under way; `internal_error` if the thread died or hangs */
  check: CheckQuote;
  /** Ends the thread; what is under way fails. */
  close(): Promise<void>;
}

/**
 * Makes a checker of quotes. Its thread begins with the first quote: a relay without machines has none. One that dies or hangs is ended
 * with what it was at, and the next quote begins another; answers of that time have a lower tier, and no call waits longer than its own
 * `timeoutMs` for its evidence.
 *
 * @param options.script the thread's module; only tests give another
 * @param options.patienceMs how long a thread may take beyond `ask.timeoutMs` before it is taken to hang
 */
export function openQuoteChecker({ patienceMs = defaultPatienceMs, script }: CheckerOptions = {}): QuoteChecker {
  const module = script ?? new URL('./quote-worker.ts', import.meta.url);
  let running: QuoteThread | undefined;
  let isClosed = false;
  return {
    async check(ask) {
      if (isClosed) throw new AutoPayError('overloaded', 'The relay is stopping. Try again in a moment.');
      if (running === undefined || running.hasEnded) running = new QuoteThread(module, patienceMs);
      return running.ask(ask);
    },
    async close() {
      isClosed = true;
      await running?.end(new Error('the relay is stopping'));
    },
  };
}

interface CheckerOptions {
  script?: URL;
  patienceMs?: number;
}

interface Waiting {
  resolve: (value: CheckedQuote) => void;
  reject: (error: AutoPayError) => void;
  timer: NodeJS.Timeout;
}

/** The main thread's side of one thread. */
class QuoteThread {
  readonly #worker: Worker;
  readonly #patienceMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  hasEnded = false;

  constructor(script: URL, patienceMs: number) {
    this.#patienceMs = patienceMs;
    this.#worker = startThread(script, {
      name: 'quotes',
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    // It holds nothing that has to be brought to an end.
    this.#worker.unref();
    this.#worker.on('message', (answer: QuoteAnswer) => this.#hear(answer));
    this.#worker.on('error', (error) => void this.end(error));
    this.#worker.on('exit', (code) => void this.end(new Error(`the thread ended with code ${code}`)));
  }

  ask(ask: QuoteAsk): Promise<CheckedQuote> {
    if (this.#waiting.size >= maxQuotes) {
      return Promise.reject(
        new AutoPayError('overloaded', 'Too many quotes wait to be checked. Try again in a moment.'),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<CheckedQuote>();
    const id = (this.#asked += 1);
    const limitMs = ask.timeoutMs + this.#patienceMs;
    const timer = setTimeout(() => void this.end(new Error(`a quote took longer than ${limitMs} ms`)), limitMs);
    this.#waiting.set(id, { resolve, reject, timer });
    this.#worker.postMessage({ id, ask } satisfies QuoteQuestion);
    return promise;
  }

  /** Ends it, and tells those who wait. */
  async end(cause: unknown): Promise<void> {
    this.hasEnded = true;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(unchecked(cause));
    }
    this.#waiting.clear();
    await this.#worker.terminate();
  }

  #hear(answer: QuoteAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return;
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if (!answer.ok) {
      const error = fromPlainError(answer.error);
      return waiting.reject(error.code === 'internal_error' ? unchecked(error.cause) : error);
    }
    const { collateral, quote } = answer.value as CheckedQuote;
    // Between threads a Buffer becomes plain bytes.
    waiting.resolve({ collateral, quote: { ...quote, reportData: Buffer.from(quote.reportData) } });
  }
}

/** It may come to a payer, in a document: why is for the relay's log. */
function unchecked(cause: unknown): AutoPayError {
  return new AutoPayError('internal_error', 'The quote could not be checked.', { cause });
}
