import type { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ChargeStore } from './charge-store.ts';
import { AfterSeal, type GroupContext } from './group-context.ts';
import type { ReserveRequest } from './ledger.ts';
import type { Decision, OperationCall, OperationOutcome } from './messages.ts';
import type { ReserveDecision } from './operations/hold-funds.ts';
import type { RowCaches } from './row-cache.ts';
import type { Finish, OperationRunner } from './run-operations.ts';

/** Runs groups of operations in transactions: as many groups in one as come before `commit`. */
export interface GroupRunner {
  /**
   * Runs a group in the open transaction; begins one if none is. An operation that throws is undone by itself, and fails alone. If
   * anything else fails, the whole transaction is undone and the function throws.
   * @returns what was decided about the group's reservations
   */
  run(calls: readonly OperationCall[]): Decision[];
  /** Operations of the open transaction; 0: none is open. */
  readonly size: number;
  /** Whether nothing in the open transaction need be durable before more comes. */
  readonly mayWait: boolean;
  /**
   * Commits the open transaction. If that fails, all of it is undone and the function throws.
   * @returns the outcomes of its operations, in their order
   */
  commit(): OperationOutcome[];
}

/** A transaction that is open. */
interface Transaction {
  context: GroupContext;
  /** Whether each operation has a savepoint of its own. */
  isGuarded: boolean;
  calls: OperationCall[];
  results: Finish[];
}

function sleep(durationMs: number): void {
  if (durationMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

function decisionsOf({ calls, results }: Transaction, from: number): Decision[] {
  return results.slice(from).flatMap((result, position): Decision[] => {
    const index = from + position;
    return calls[index]?.name === 'reserve' && result.ok ? [{ index, decision: result.value as ReserveDecision }] : [];
  });
}

/** Whether an operation may become durable later: nobody is told of it before. */
function mayWait({ name, argument }: OperationCall): boolean {
  return name === 'reserve' && (argument as ReserveRequest).mayWait === true;
}

/** Whether what was told about the reservations of `before` still holds. */
function isAsTold(before: Transaction, again: Transaction): boolean {
  return before.results.every((told, index) => {
    if (before.calls[index]?.name !== 'reserve' || !told.ok) return true;
    const result = again.results[index];
    return result?.ok === true && isHeld(result.value) === isHeld(told.value);
  });
}

function isHeld(decision: unknown): boolean {
  return (decision as ReserveDecision).ok;
}

/** The outcomes, now that receipts are signed. */
function outcomesOf(results: readonly Finish[], receipts: readonly SignedReceipt[]): OperationOutcome[] {
  return results.map((result): OperationOutcome =>
    result.ok && result.value instanceof AfterSeal ? { ok: true, value: result.value.finish(receipts) } : result,
  );
}

/**
 * Runs groups in transactions.
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
  let open: Transaction | undefined;

  function start(isGuarded = false): Transaction {
    // Throws if a transaction that failed could not be rolled back: what it has written MUST NOT be committed with this one.
    begin.run();
    const context = { nowMs: Date.now(), batchId: charges.nextBatchId(), charges: [] };
    return { context, isGuarded, calls: [], results: [] };
  }

  function rollBack(): void {
    // First: even where SQLite cannot roll back, nothing of it is true any more.
    caches.clear();
    if (db.isTransaction) db.exec('ROLLBACK');
  }

  /**
   * Savepoints cost a copy of every page that an operation changes, and hardly any throws: so all run without, and if one throws, the
   * transaction runs once more with them, from its start.
   */
  function runAgain(before: Transaction): Transaction {
    rollBack();
    const again = start(true);
    runIn(again, before.calls);
    // On the same books the same is decided.
    if (isAsTold(before, again)) return again;
    throw new AutoPayError('internal_error', 'A reservation that was announced cannot be made again.');
  }

  function runIn(transaction: Transaction, calls: readonly OperationCall[]): void {
    const { context, isGuarded } = transaction;
    // Nothing is charged after its batch was signed, though the clock be set back.
    context.nowMs = Math.max(context.nowMs, Date.now());
    transaction.calls.push(...calls);
    const results = isGuarded ? operations.runGuarded(calls, context) : operations.runPlain(calls, context);
    transaction.results.push(...results);
  }

  function runNext(calls: readonly OperationCall[]): Decision[] {
    open ??= start();
    const from = open.results.length;
    try {
      runIn(open, calls);
    } catch (error) {
      if (open.isGuarded) throw error;
      open = runAgain(open);
    }
    return decisionsOf(open, from);
  }

  function finish(): OperationOutcome[] {
    if (open === undefined) return [];
    try {
      caches.flush();
    } catch {
      open = runAgain(open);
    }
    const outcomes = outcomesOf(open.results, seal(open.context));
    sleep(commitDelayMs);
    commit.run();
    open = undefined;
    return outcomes;
  }

  function orUndo<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      open = undefined;
      rollBack();
      throw error;
    }
  }

  return {
    run: (calls) => orUndo(() => runNext(calls)),
    get size() {
      return open?.calls.length ?? 0;
    },
    get mayWait() {
      return open === undefined || (open.calls.every(mayWait) && open.results.every(({ ok }) => ok));
    },
    commit: () => orUndo(finish),
  };
}
