import type { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ChargeStore } from './charge-store.ts';
import { AfterSeal, type GroupContext } from './group-context.ts';
import type { ReserveRequest } from './ledger.ts';
import type { OperationCall, OperationOutcome } from './messages.ts';
import type { ReserveDecision } from './operations/hold-funds.ts';
import type { RowCaches } from './row-cache.ts';
import type { Finish, OperationRunner } from './run-operations.ts';

/** A reservation of the group that is decided and not yet durable. */
export interface Decision {
  index: number;
  decision: ReserveDecision;
}

/** Is told what a group has decided; `waits` if it is not committed before the next group, or `commit`. */
export type OnDecided = (decisions: Decision[], waits: boolean) => void;

/** Runs groups of operations in transactions. */
export interface GroupRunner {
  /**
   * Runs a group, in the transaction that waits if there is one, and commits that, unless all of it may wait for more. An operation that
   * throws is undone by itself, and fails alone; if anything fails after that, the commit above all, the whole transaction is undone and
   * the function throws.
   * @returns the outcomes of the transaction, those of groups that waited first; undefined while it waits
   */
  run(calls: readonly OperationCall[], onDecided: OnDecided): OperationOutcome[] | undefined;
  /** Commits the transaction that waits; throws as `run`. */
  commit(): OperationOutcome[];
}

/** What the open transaction has done for groups that wait. */
interface Waiting {
  calls: readonly OperationCall[];
  results: readonly Finish[];
}

/** The most operations of a transaction that waits. */
const maxWaiting = 256;
const nothing: Waiting = { calls: [], results: [] };

function sleep(durationMs: number): void {
  if (durationMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

function decisionsOf(calls: readonly OperationCall[], results: readonly Finish[]): Decision[] {
  return results.flatMap((result, index): Decision[] =>
    calls[index]?.name === 'reserve' && result.ok ? [{ index, decision: result.value as ReserveDecision }] : [],
  );
}

/** Whether an operation may become durable later: nobody is told of it before. */
function mayWait({ name, argument }: OperationCall): boolean {
  return name === 'reserve' && (argument as ReserveRequest).mayWait === true;
}

function isSameDecision(before: Finish | undefined, again: Finish | undefined): boolean {
  return before?.ok === true && again?.ok === true && isHeld(before.value) === isHeld(again.value);
}

function isHeld(decision: unknown): boolean {
  return (decision as ReserveDecision).ok;
}

/**
 * Runs groups in transactions. One of nothing but reservations that may wait is left open: the charge that follows shares its commit.
 * @param options.commitDelayMs test only: waits before every COMMIT.
 */
export function createRunGroup(options: {
  db: DatabaseSync;
  caches: RowCaches;
  operations: OperationRunner;
  charges: Pick<ChargeStore, 'nextBatchId'>;
  seal: (context: GroupContext) => SignedReceipt[];
  commitDelayMs: number;
}): GroupRunner {
  const { db, caches, operations, charges, seal, commitDelayMs } = options;
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  let waiting = nothing;

  const createContext = (): GroupContext => ({ nowMs: Date.now(), batchId: charges.nextBatchId(), charges: [] });

  function rollBack(): void {
    // First: even where SQLite cannot roll back, nothing of it is true any more.
    caches.clear();
    if (db.isTransaction) db.exec('ROLLBACK');
  }

  /**
   * Savepoints cost a copy of every page that an operation changes, and hardly any throws: so all run without, and if one throws, the
   * transaction runs once more with them, from its start.
   */
  function runOperations(calls: readonly OperationCall[]): { context: GroupContext; results: Finish[] } {
    try {
      const context = createContext();
      const results = operations.runPlain(calls, context);
      if (!calls.every(mayWait)) caches.flush();
      return { context, results };
    } catch {
      rollBack();
      begin.run();
      const context = createContext();
      // On the same books the same is decided as was announced.
      const again = operations.runGuarded(waiting.calls, context);
      if (!again.every((result, index) => isSameDecision(waiting.results[index], result)))
        throw new AutoPayError('internal_error', 'A reservation that was announced cannot be made again.');
      return { context, results: operations.runGuarded(calls, context) };
    }
  }

  function finish(context: GroupContext, results: readonly Finish[]): OperationOutcome[] {
    caches.flush();
    const receipts = seal(context);
    const outcomes = results.map((result): OperationOutcome =>
      result.ok && result.value instanceof AfterSeal ? { ok: true, value: result.value.finish(receipts) } : result,
    );
    sleep(commitDelayMs);
    commit.run();
    waiting = nothing;
    return outcomes;
  }

  function runAll(calls: readonly OperationCall[], onDecided: OnDecided): OperationOutcome[] | undefined {
    // Throws if a transaction that failed could not be rolled back: what it has written MUST NOT be committed with this one.
    if (waiting === nothing) begin.run();
    const { context, results } = runOperations(calls);
    const all = { calls: [...waiting.calls, ...calls], results: [...waiting.results, ...results] };
    const waits = all.calls.length < maxWaiting && calls.every(mayWait) && results.every((result) => result.ok);
    const decisions = decisionsOf(calls, results);
    if (decisions.length > 0) onDecided(decisions, waits);
    if (!waits) return finish(context, all.results);
    waiting = all;
    return undefined;
  }

  function orUndo<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      waiting = nothing;
      rollBack();
      throw error;
    }
  }

  return {
    run: (calls, onDecided) => orUndo(() => runAll(calls, onDecided)),
    commit: () => orUndo(() => finish(createContext(), waiting.results)),
  };
}
