import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError, type OperationCall, type WriterData, type WriterMessage } from './messages.ts';
import { createWriterGroup } from './create-writer-group.ts';
import { openBooks, type Books } from './open-books.ts';

/*
 * The writer thread: it alone writes the ledger file. It takes groups of operations, one message and one transaction
 * for each, and says twice how a group with reservations went: `decided` before COMMIT, `done` after it.
 */

const data = workerData as WriterData;
const port = parentPort;
if (port === null) throw new Error('writer.ts runs as a worker thread of open-ledger.ts only');

function say(message: WriterMessage): void {
  port?.postMessage(message);
}

function serve(books: Books): void {
  const { db } = books;
  const runGroup = createWriterGroup(books, { key: data.receiptKey, commitDelayMs: data.commitDelayMs });
  port?.on('message', (calls: readonly OperationCall[] | 'close') => {
    if (calls === 'close') {
      db.close();
      port?.close();
      return;
    }
    try {
      const outcomes = runGroup(calls, (decisions) => say({ type: 'decided', decisions }));
      // A decision has been told already; copying it once more would cost the main thread.
      const untold = outcomes.map((outcome, index) =>
        outcome.ok && calls[index]?.name === 'reserve' ? { ok: true as const, value: undefined } : outcome,
      );
      say({ type: 'done', outcomes: untold });
    } catch (error) {
      say({ type: 'failed', error: toPlainError(error) });
    }
  });
  say({ type: 'ready' });
}

try {
  serve(openBooks(data));
} catch (error) {
  say({ type: 'unopened', error: toPlainError(error) });
}
