import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { fromPlainError, type OperationCall, type OperationOutcome } from './messages.ts';
import { temporaryFolder, testKey, testScope } from './ledger-fixtures.ts';
import { openBooks } from './open-books.ts';
import {
  createOperations,
  type ArgumentOf,
  type OperationName,
  type OperationTable,
  type ResultOf,
  type Stores,
} from './operations/create-operations.ts';
import { createRunGroup, type Decision } from './run-group.ts';
import { createSealReceipts } from './seal-receipts.ts';

/** The writer's books in the test's own thread, on a real file. */
export interface TestBooks {
  db: DatabaseSync;
  stores: Stores;
  /** Runs a group as the writer does. */
  runGroup(calls: readonly OperationCall[], onDecided?: (decisions: Decision[]) => void): OperationOutcome[];
  /** Runs one operation as a group of its own; throws what it throws. */
  run<N extends OperationName>(name: N, argument: ArgumentOf<N>): ResultOf<N>;
  close(): void;
}

/** Opens books in a new temporary folder. */
export function openTestBooks(): TestBooks {
  const { dataDir, remove } = temporaryFolder();
  const { db, stores } = openBooks({ file: join(dataDir, 'ledger.sqlite'), receiptScope: testScope });
  const { charges } = stores;
  const runInWriter = createRunGroup({
    db,
    charges,
    operations: createOperations(stores) as OperationTable,
    seal: createSealReceipts({ charges, scope: testScope, key: testKey }),
    commitDelayMs: 0,
  });
  // What crosses the thread border is cloned: Buffers arrive as Uint8Arrays.
  const runGroup: TestBooks['runGroup'] = (calls, onDecided = () => undefined) =>
    structuredClone(runInWriter(structuredClone(calls), onDecided));
  return {
    db,
    stores,
    runGroup,
    run<N extends OperationName>(name: N, argument: ArgumentOf<N>) {
      const [outcome] = runGroup([{ name, argument }]);
      if (outcome === undefined) throw new Error('no outcome');
      if (!outcome.ok) throw fromPlainError(outcome.error);
      return outcome.value as ResultOf<N>;
    },
    close() {
      db.close();
      remove();
    },
  };
}
