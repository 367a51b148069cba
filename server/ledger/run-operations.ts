import type { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { AfterSeal, GroupContext } from './group-context.ts';
import { toPlainError, type OperationCall, type OperationOutcome } from './messages.ts';
import type { OperationName, OperationTable } from './operations/create-operations.ts';
import type { RowCaches } from './row-cache.ts';

/** How an operation ended, in a transaction that is not committed. */
export type Finish = OperationOutcome | { ok: true; value: AfterSeal<unknown> };

/** Runs the operations of a group, one after the other, in the open transaction. */
export interface OperationRunner {
  /** The first operation that throws ends it: the transaction MUST be rolled back then. What is deferred MUST be flushed after it. */
  runPlain(calls: readonly OperationCall[], context: GroupContext): Finish[];
  /**
   * An operation that throws is undone by itself.
   * @throws what made SQLite give up the whole transaction
   */
  runGuarded(calls: readonly OperationCall[], context: GroupContext): Finish[];
}

/** Operations that read what they change by the caches alone, so that it may be written when the group is done. */
const deferring: ReadonlySet<OperationName> = new Set<OperationName>(['reserve', 'charge', 'release']);

/**
 * Prepares the statements once.
 * @param options.chains the home chain first
 */
export function createRunOperations(options: {
  db: DatabaseSync;
  caches: RowCaches;
  chains: readonly { chainId: number; operations: OperationTable }[];
}): OperationRunner {
  const { db, caches } = options;
  const tables = new Map(options.chains.map(({ chainId, operations }) => [chainId, operations]));
  const home = options.chains[0]?.operations;
  const savepoint = db.prepare('SAVEPOINT operation');
  const keep = db.prepare('RELEASE operation');
  const undo = db.prepare('ROLLBACK TO operation');

  function operationOf({ name, chainId }: OperationCall): OperationTable[OperationName] {
    const table = chainId === undefined ? home : tables.get(chainId);
    if (table) return table[name];
    throw new AutoPayError('internal_error', `The ledger was not opened for chain ${chainId}.`);
  }

  function runOne(call: OperationCall, context: GroupContext): unknown {
    const operation = operationOf(call);
    if (deferring.has(call.name)) return caches.defer(() => operation(call.argument, context));
    // It may read by SQL what is cached.
    caches.flush();
    return operation(call.argument, context);
  }

  function runUndoable(call: OperationCall, context: GroupContext): Finish {
    savepoint.run();
    const chargesBefore = context.charges.length;
    try {
      const value = runOne(call, context);
      caches.flush();
      keep.run();
      return { ok: true, value };
    } catch (error) {
      // A full disk and the like make SQLite give up the whole transaction: then the group has failed, not the operation.
      if (!db.isTransaction) throw error;
      undo.run();
      keep.run();
      caches.clear();
      context.charges.length = chargesBefore;
      return { ok: false, error: toPlainError(error) };
    }
  }

  return {
    runPlain: (calls, context) => calls.map((call) => ({ ok: true, value: runOne(call, context) })),
    runGuarded: (calls, context) => calls.map((call) => runUndoable(call, context)),
  };
}
