import { parentPort, workerData } from 'node:worker_threads';
import { createWriterGroup } from './create-writer-group.ts';
import type { ChargeRequest, ChargeResult } from './ledger.ts';
import {
  toPlainError,
  type OperationCall,
  type OperationOutcome,
  type WriterData,
  type WriterMessage,
} from './messages.ts';
import { openBooks, type Books } from './open-books.ts';
import { packResult, unpackCharge, type PackedCharge } from './pack-charge.ts';

/*
 * The writer thread: it alone writes the ledger file. It takes groups of operations, one message for each, and says twice how a
 * group with reservations went: `decided` before COMMIT, `done` after it. A group of reservations that may wait shares the
 * transaction of the next group; without one it is committed after `maxWaitMs`.
 */

/** How long reservations that may wait do so at most, milliseconds: providers that answer sooner have their calls take one commit, not two. */
const maxWaitMs = 5;

const data = workerData as WriterData;
const port = parentPort;
if (port === null) throw new Error('writer.ts runs as a worker thread of open-ledger.ts only');

function say(message: WriterMessage): void {
  port?.postMessage(message);
}

function unpackCall(call: OperationCall): OperationCall {
  return call.name === 'charge' ? { ...call, argument: unpackCharge(call.argument as PackedCharge) } : call;
}

function packOutcome(call: OperationCall | undefined, outcome: OperationOutcome): OperationOutcome {
  if (!outcome.ok) return outcome;
  // A decision has been told already; copying it once more would cost the main thread.
  if (call?.name === 'reserve') return { ok: true, value: undefined };
  if (call?.name !== 'charge') return outcome;
  return { ok: true, value: packResult(call.argument as ChargeRequest, outcome.value as ChargeResult) };
}

function serve(books: Books): void {
  const { db } = books;
  const runner = createWriterGroup(books, { key: data.receiptKey, commitDelayMs: data.commitDelayMs });
  /** Of groups that are not done. */
  let open: OperationCall[] = [];
  let timer: NodeJS.Timeout | undefined;

  /** Says how the transaction went; nothing while it waits. */
  function answer(work: () => OperationOutcome[] | undefined): void {
    let outcomes: OperationOutcome[] | undefined;
    try {
      outcomes = work();
    } catch (error) {
      return end({ type: 'failed', count: open.length, error: toPlainError(error) });
    }
    if (outcomes === undefined) timer ??= setTimeout(() => answer(() => runner.commit()), maxWaitMs);
    // Not within the `try`: what is committed MUST NOT be told as undone.
    else end({ type: 'done', outcomes: outcomes.map((outcome, index) => packOutcome(open[index], outcome)) });
  }

  function end(message: WriterMessage): void {
    say(message);
    clearTimeout(timer);
    timer = undefined;
    open = [];
  }

  port?.on('message', (calls: readonly OperationCall[] | 'close') => {
    if (calls === 'close') {
      db.close();
      port?.close();
      return;
    }
    const unpacked = calls.map(unpackCall);
    open.push(...unpacked);
    answer(() => runner.run(unpacked, (decisions, waits) => say({ type: 'decided', decisions, waits })));
  });
  say({ type: 'ready' });
}

try {
  serve(openBooks(data));
} catch (error) {
  say({ type: 'unopened', error: toPlainError(error) });
}
