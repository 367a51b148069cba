import { parentPort } from 'node:worker_threads';
import { toPlainError, type OperationOutcome } from '../ledger/messages.ts';
import { checkQuote, type QuoteAsk } from './check-quote.ts';

/*
 * The thread that checks quotes. While one waits for PCCS another is checked.
 */

/** One question. */
export interface QuoteQuestion {
  id: number;
  ask: QuoteAsk;
}

/** Its answer; the value is a CheckedQuote. */
export type QuoteAnswer = { id: number } & OperationOutcome;

const port = parentPort;
if (port === null) throw new Error('quote-worker.ts runs as a worker thread of open-quote-checker.ts only');

port.on('message', ({ id, ask }: QuoteQuestion) => {
  checkQuote(ask).then(
    (value) => port.postMessage({ id, ok: true, value } satisfies QuoteAnswer),
    (error: unknown) => port.postMessage({ id, ok: false, error: toPlainError(error) } satisfies QuoteAnswer),
  );
});
