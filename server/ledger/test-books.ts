import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { fromPlainError, type Decision, type OperationCall, type OperationOutcome } from './messages.ts';
import { otherScope, temporaryFolder, testKey, testScope } from './ledger-fixtures.ts';
import { createWriterGroup } from './create-writer-group.ts';
import { openBooks } from './open-books.ts';
import type { ArgumentOf, OperationName, ResultOf, Stores } from './operations/create-operations.ts';
import type { RowCaches } from './row-cache.ts';
import type { GroupRunner } from './run-group.ts';

/** The writer's books in the test's own thread, on a real file. */
export interface TestBooks {
  db: DatabaseSync;
  /** Cleared by a test that changes the file behind the writer's back. */
  caches: RowCaches;
  stores: Stores;
  /** For groups that share a transaction. */
  runner: GroupRunner;
  /** Runs a group as the writer does where no other follows; no outcomes if it waits. */
  runGroup(calls: readonly OperationCall[], onDecided?: (decisions: readonly Decision[]) => void): OperationOutcome[];
  /** Commits the groups that wait. */
  commit(): OperationOutcome[];
  /** Runs one operation as a group of its own, on the home chain unless told otherwise; throws what it throws. */
  run<N extends OperationName>(name: N, argument: ArgumentOf<N>, chainId?: number): ResultOf<N>;
  close(): void;
}

/** Opens books in a new temporary folder. */
export function openTestBooks(): TestBooks {
  const { dataDir, remove } = temporaryFolder();
  const books = openBooks({ file: join(dataDir, 'ledger.sqlite'), receiptScopes: [testScope, otherScope] });
  const { db, caches, chains } = books;
  const runner = createWriterGroup(books, { key: testKey, commitDelayMs: 0 });
  // What crosses the thread border is cloned: Buffers arrive as Uint8Arrays.
  const runGroup: TestBooks['runGroup'] = (calls, onDecided) => {
    const decisions = runner.run(structuredClone(calls));
    onDecided?.(decisions);
    return runner.mayWait ? [] : commit();
  };
  const commit = () => structuredClone(runner.commit());
  return {
    db,
    caches,
    stores: chains[0].stores,
    runner,
    runGroup,
    commit,
    run<N extends OperationName>(name: N, argument: ArgumentOf<N>, chainId?: number) {
      const [outcome] = runGroup([{ name, argument, ...(chainId !== undefined && { chainId }) }]);
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
