import type { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ChargeStore } from './charge-store.ts';
import { AfterSeal, type GroupContext } from './group-context.ts';
import { toPlainError, type OperationCall, type OperationOutcome } from './messages.ts';
import type { OperationName, OperationTable } from './operations/create-operations.ts';
import type { ReserveDecision } from './operations/hold-funds.ts';

/** A reservation of the group that is decided and not yet durable. */
export interface Decision {
  index: number;
  decision: ReserveDecision;
}

type Finish = OperationOutcome | { ok: true; value: AfterSeal<unknown> };

function wait(durationMs: number): void {
  if (durationMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

/**
 * Runs the operations of a group in one transaction. An operation that throws is undone by itself (savepoint) and fails
 * alone; if anything fails after that, the commit above all, the whole group is undone and the function throws.
 * @param options.commitDelayMs test only: waits before every COMMIT.
 */
export function createRunGroup(options: {
  db: DatabaseSync;
  /** Of each chain, the home chain first. */
  chains: readonly { chainId: number; operations: OperationTable }[];
  charges: Pick<ChargeStore, 'nextBatchId'>;
  seal: (context: GroupContext) => SignedReceipt[];
  commitDelayMs: number;
}) {
  const { db, charges, seal, commitDelayMs } = options;
  const tables = new Map(options.chains.map(({ chainId, operations }) => [chainId, operations]));
  const home = options.chains[0]?.operations;
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const savepoint = db.prepare('SAVEPOINT operation');
  const keep = db.prepare('RELEASE operation');
  const undo = db.prepare('ROLLBACK TO operation');

  function operationOf({ name, chainId }: OperationCall): OperationTable[OperationName] {
    const table = chainId === undefined ? home : tables.get(chainId);
    if (table) return table[name];
    throw new AutoPayError('internal_error', `The ledger was not opened for chain ${chainId}.`);
  }

  function runOne(call: OperationCall, context: GroupContext): Finish {
    savepoint.run();
    const chargesBefore = context.charges.length;
    try {
      const value = operationOf(call)(call.argument, context);
      keep.run();
      return { ok: true, value };
    } catch (error) {
      // A full disk and the like make SQLite give up the whole transaction: then the group has failed, not the operation.
      if (!db.isTransaction) throw error;
      undo.run();
      keep.run();
      context.charges.length = chargesBefore;
      return { ok: false, error: toPlainError(error) };
    }
  }

  function runAll(calls: readonly OperationCall[], onDecided: (decisions: Decision[]) => void): OperationOutcome[] {
    const context: GroupContext = { nowMs: Date.now(), batchId: charges.nextBatchId(), charges: [] };
    const results = calls.map((call) => runOne(call, context));
    const decisions = results.flatMap((result, index): Decision[] =>
      calls[index]?.name === 'reserve' && result.ok ? [{ index, decision: result.value as ReserveDecision }] : [],
    );
    if (decisions.length > 0) onDecided(decisions);
    const receipts = seal(context);
    const outcomes = results.map((result): OperationOutcome =>
      result.ok && result.value instanceof AfterSeal ? { ok: true, value: result.value.finish(receipts) } : result,
    );
    wait(commitDelayMs);
    commit.run();
    return outcomes;
  }

  return function runGroup(
    calls: readonly OperationCall[],
    onDecided: (decisions: Decision[]) => void,
  ): OperationOutcome[] {
    begin.run();
    try {
      return runAll(calls, onDecided);
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
}
