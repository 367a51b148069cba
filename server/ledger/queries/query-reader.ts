import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError, type PlainError } from '../messages.ts';
import { createQuestionTable, type QuestionTable } from './create-question-table.ts';

/*
 * The reader thread: it answers questions about what is durable, one after the other, each as the ledger is at one moment. Its
 * connection can only read; in WAL mode that hinders no writer.
 */

/** One question. */
export interface Question {
  name: keyof QuestionTable;
  argument: unknown;
}

/** What is answered, in the order of the questions. */
export type QuestionAnswer = { ok: true; value: unknown } | { ok: false; error: PlainError };

const port = parentPort;
if (port === null) throw new Error('query-reader.ts runs as a worker thread of open-audit-queries.ts only');

const db = new DatabaseSync((workerData as { file: string }).file, { readOnly: true });
db.exec('PRAGMA busy_timeout = 5000');
const table = createQuestionTable(db) as Record<keyof QuestionTable, (argument: unknown) => unknown>;

function answer({ name, argument }: Question): QuestionAnswer {
  db.exec('BEGIN');
  try {
    return { ok: true, value: table[name](argument) };
  } catch (error) {
    return { ok: false, error: toPlainError(error) };
  } finally {
    db.exec('COMMIT');
  }
}

port.on('message', (question: Question | 'close') => {
  if (question !== 'close') return port.postMessage(answer(question));
  db.close();
  port.close();
});
