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
import { isFull } from './is-full.ts';
import { openBooks, type Books } from './open-books.ts';
import { packResult, unpackCharge, type PackedCharge } from './pack-charge.ts';

/*
 * The writer thread: it alone writes the ledger file. It takes groups of operations, one message for each. A transaction takes all groups
 * that are there: while more come there is no commit, until it is full, so that commits are few when there is much to do and soon when
 * there is little.
 * Reservations are told as `decided` group by group; how all of it went as `done`, after COMMIT. A transaction of nothing but
 * reservations that may wait stays open for what comes next, `maxWaitMs` at most.
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
  const runner = createWriterGroup(books, { key: data.receiptKey, commitDelayMs: data.commitDelayMs });
  /** Of the transaction, whether or not it fails. */
  let calls: OperationCall[] = [];
  let soon: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined;
  let beganAt = 0;
  let commitMs = 0;

  /** Says how the transaction went. */
  function end(message: WriterMessage): void {
    say(message);
    clearTimeout(timer);
    timer = undefined;
    calls = [];
  }

  /** @returns undefined if it failed: then the transaction has ended */
  function orFail<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      end({ type: 'failed', count: calls.length, error: toPlainError(error) });
      return undefined;
    }
  }

  function runGroup(group: readonly OperationCall[]): void {
    const unpacked = group.map(unpackCall);
    if (runner.size === 0) beganAt = performance.now();
    calls.push(...unpacked);
    const decisions = orFail(() => runner.run(unpacked)) ?? [];
    if (decisions.length > 0) say({ type: 'decided', decisions });
  }

  function commit(): void {
    const startedAt = performance.now();
    const outcomes = orFail(() => runner.commit());
    commitMs = performance.now() - startedAt;
    // Not within `orFail`: what is committed MUST NOT be told as undone.
    if (outcomes) end({ type: 'done', outcomes: outcomes.map((outcome, index) => packOutcome(calls[index], outcome)) });
  }

  /** Once there are no more messages. */
  function commitOrWait(): void {
    soon = undefined;
    if (runner.size === 0) return;
    if (runner.mayWait) timer ??= setTimeout(commit, maxWaitMs);
    else commit();
  }

  port?.on('message', (message: readonly OperationCall[] | 'close') => {
    if (message === 'close') {
      books.db.close();
      port?.close();
      return;
    }
    runGroup(message);
    if (isFull({ operations: runner.size, ranMs: performance.now() - beganAt, commitMs })) commit();
    else soon ??= setImmediate(commitOrWait);
  });
  say({ type: 'ready' });
}

try {
  serve(openBooks(data));
} catch (error) {
  say({ type: 'unopened', error: toPlainError(error) });
}
