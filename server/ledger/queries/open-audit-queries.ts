import type { Worker } from 'node:worker_threads';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { fromPlainError } from '../messages.ts';
import type { AuditQueries } from './audit-queries.ts';
import type { QuestionTable } from './create-question-table.ts';
import type { Question, QuestionAnswer } from './query-reader.ts';
import { startThread } from '../start-thread.ts';

/** The most questions that wait; beyond it they are refused as `overloaded`. */
export const maxQueuedQuestions = 256;

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: AutoPayError) => void;
}

/** Questions about a ledger file that is open elsewhere. */
export interface OpenAuditQueries extends AuditQueries {
  /** Answers what was asked, then ends the thread. */
  close(): Promise<void>;
}

/**
 * Makes the reader of a ledger file, which MUST exist and have the present schema. Its thread begins with the first question; if it
 * dies, what waits fails, and the next question begins another. Questions fail with AutoPayError `overloaded` or `internal_error`.
 */
export function openAuditQueries({ file }: { file: string }): OpenAuditQueries {
  let running: ReaderThread | undefined;
  let isClosed = false;

  function ask<N extends keyof QuestionTable>(
    name: N,
    argument: Parameters<QuestionTable[N]>[0],
  ): Promise<ReturnType<QuestionTable[N]>> {
    if (isClosed) return Promise.reject(new AutoPayError('internal_error', 'The ledger is closed.'));
    if (running === undefined || running.hasEnded) running = new ReaderThread(file);
    return running.ask({ name, argument }) as Promise<ReturnType<QuestionTable[N]>>;
  }

  return {
    listCalls: (query) => ask('listCalls', query),
    findCall: (callId) => ask('findCall', callId),
    listBookings: (query) => ask('listBookings', query),
    listEntries: (range) => ask('listEntries', range),
    findLeaf: (entry) => ask('findLeaf', entry),
    async close() {
      isClosed = true;
      await running?.close();
    },
  };
}

/** The main thread's side of one reader. */
class ReaderThread {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  readonly #ended = Promise.withResolvers<void>();
  hasEnded = false;

  constructor(file: string) {
    this.#worker = startThread(new URL('./query-reader.ts', import.meta.url), {
      name: 'audit-queries',
      workerData: { file },
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#worker.on('message', (answer: QuestionAnswer) => {
      const first = this.#waiting.shift();
      if (answer.ok) first?.resolve(answer.value);
      else first?.reject(fromPlainError(answer.error));
    });
    this.#worker.on('error', (error) => this.#end(error));
    this.#worker.on('exit', () => this.#end(new Error('the reader thread ended')));
  }

  ask(question: Question): Promise<unknown> {
    if (this.#waiting.length >= maxQueuedQuestions) {
      return Promise.reject(new AutoPayError('overloaded', 'Too many queries wait. Try again in a moment.'));
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.push({ resolve, reject });
    this.#worker.postMessage(question);
    return promise;
  }

  async close(): Promise<void> {
    if (!this.hasEnded) this.#worker.postMessage('close');
    await this.#ended.promise;
  }

  #end(cause: unknown): void {
    this.hasEnded = true;
    const failure = new AutoPayError('internal_error', 'The query could not be answered. Try again.', { cause });
    for (const waiting of this.#waiting.splice(0)) waiting.reject(failure);
    this.#ended.resolve();
  }
}
