import type { LoggedEntry } from '../background-ledger.ts';
import type { ChargeStore } from '../charge-store.ts';
import type { CheckpointStore } from '../checkpoint-store.ts';
import type { LogStore } from '../log-store.ts';
import { createAddBlock } from './add-block.ts';
import { createAddCheckpoint } from './add-checkpoint.ts';
import { createRecordAnchor } from './record-anchor.ts';

/** The most entries that one list answers; ask again from where it ended. */
const maxListed = 10_000;

/** The operations on the log: its entries, checkpoints, blocks and anchors. Each takes one argument. */
export function createLogOperations(stores: { charges: ChargeStore; checkpoints: CheckpointStore; log: LogStore }) {
  const { charges, checkpoints, log } = stores;
  return {
    listEntries: ({ from, limit }: { from: number; limit: number }): LoggedEntry[] =>
      log.listEntries(from, Math.min(limit, maxListed)),
    listLeafHashes: ({ from, limit }: { from: number; limit: number }): Uint8Array[] =>
      log.listLeafHashes(from, Math.min(limit, maxListed)),
    logSize: (): number => charges.count(),
    newestCheckpoint: () => checkpoints.newest(),
    addCheckpoint: createAddCheckpoint(stores),
    lastBlock: () => log.lastBlock(),
    findBlock: (size: number) => log.findBlock(size),
    addBlock: createAddBlock(stores),
    anchoredSize: (): number => log.lastAnchor()?.size ?? 0,
    findSentAnchor: () => log.findSentAnchor(),
    recordAnchor: createRecordAnchor(stores),
    findAnchorOf: (index: number) => log.findAnchorOf(index),
  };
}
