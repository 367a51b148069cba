import type { Books } from './open-books.ts';
import { createOperations, type OperationTable } from './operations/create-operations.ts';
import { createRunGroup, type GroupRunner } from './run-group.ts';
import { createRunOperations } from './run-operations.ts';
import { createSealReceipts } from './seal-receipts.ts';

/**
 * What the writer does with its books: groups of operations, each on the chain that it names, whose charges are sealed together.
 *
 * @param options.key signs the receipts, 32 bytes
 * @param options.commitDelayMs test only: waits before every COMMIT
 */
export function createWriterGroup(
  { db, caches, chains }: Books,
  options: { key: Uint8Array; commitDelayMs: number },
): GroupRunner {
  return createRunGroup({
    db,
    caches,
    charges: chains[0].stores.charges,
    operations: createRunOperations({
      ...{ db, caches },
      chains: chains.map(({ stores }) => ({
        chainId: stores.chainId,
        operations: createOperations(stores) as OperationTable,
      })),
    }),
    seal: createSealReceipts({
      chains: chains.map(({ scope, stores }) => ({ scope, charges: stores.charges })),
      key: options.key,
    }),
    commitDelayMs: options.commitDelayMs,
  });
}
