import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBlockStore, type BlockStore } from '../audit/block-store.ts';
import { writeBlocks } from '../audit/write-blocks.ts';
import type { JobLog } from '../chain/job-log.ts';
import { someCharge, someReserve, testKey, testScope } from '../ledger/ledger-fixtures.ts';
import { openLedger, type RelayLedger } from '../ledger/open-ledger.ts';

/** A log with blocks on a disk, as a relay has it. */
export interface TestLog {
  ledger: RelayLedger;
  blocks: BlockStore;
  /** Names of files in it are CIDs. */
  blocksFolder: string;
  /** Makes so many blocks, of one entry each. */
  addBlocks(count: number): Promise<void>;
  /** Closes the books and opens them again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Opens an empty log in a new folder. */
export async function openTestLog(): Promise<TestLog> {
  const dataDir = mkdtempSync(join(tmpdir(), 'autopay-ipfs-'));
  const blocksFolder = join(dataDir, 'blocks');
  const open = () => openLedger({ dataDir, chainId: testScope.chainId, receiptScope: testScope, receiptKey: testKey });
  const test: TestLog = {
    ledger: await open(),
    blocks: createBlockStore(blocksFolder),
    blocksFolder,
    async addBlocks(count) {
      for (let added = 0; added < count; added += 1) {
        const reserve = someReserve(null, 0n);
        const outcome = await test.ledger.reserve(reserve);
        if (!outcome.ok) throw new Error(outcome.refusal.code);
        await test.ledger.charge(someCharge(reserve.callId, 0n));
      }
      await writeBlocks({ ledger: test.ledger, blocks: test.blocks, maxEntriesPerBlock: 1 });
    },
    async restart() {
      await test.ledger.close();
      test.ledger = await open();
    },
    async close() {
      await test.ledger.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return test;
}

/** A log that remembers its warnings. */
export function rememberWarnings(): JobLog & { warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, info: () => undefined, warn: (_, message) => void warnings.push(message), error: () => undefined };
}
