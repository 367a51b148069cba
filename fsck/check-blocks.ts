import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CID } from 'multiformats/cid';
import { toHex } from '../protocol/bytes/hex.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books } from './open-books.ts';
import type { ChargeFacts } from './scan-charges.ts';
import { continues, readBlock, type BlockSource, type WalkedBlock } from './walk-log.ts';

/** What blocks are compared with. */
type BlockFacts = Pick<ChargeFacts, 'leafHashes' | 'trees'>;

/** A block that the ledger lists. */
export interface BlockRow {
  start: number;
  size: number;
  cid: string;
  root: string;
}

/** Reads the list of blocks. */
export function readBlockRows(books: Books): BlockRow[] {
  return [...books.rows('SELECT start, size, cid, root FROM blocks ORDER BY start')].map((row) => ({
    start: row.number('start'),
    size: row.number('size'),
    cid: row.text('cid'),
    root: row.hex('root'),
  }));
}

/** Blocks in a folder, in files that are named by their CIDs. */
export function createFolderSource(folder: string): BlockSource {
  return {
    get: (cid) =>
      readFile(join(folder, cid.toString())).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      }),
  };
}

/** Every block has the bytes of its CID, holds exactly the log's entries, continues the one before and leads to its root. */
export async function checkBlocks(rows: readonly BlockRow[], source: BlockSource, facts: BlockFacts): Promise<Claim> {
  const differences = new Differences();
  let earlier: WalkedBlock | undefined;
  for (const row of rows) {
    try {
      const block = await readBlock(source, CID.parse(row.cid));
      compareBlock({ row, block, earlier }, facts, differences);
      earlier = block;
    } catch (error) {
      differences.add(error instanceof Error ? error.message : `block ${row.cid} is unreadable`);
    }
  }
  const size = rows.at(-1)?.size ?? 0;
  const waiting = facts.leafHashes.length - size;
  return differences.toClaim(
    'blocks_hold_log',
    `${rows.length} blocks have the bytes that their CIDs name and hold log entries 0 to ${size}${waiting > 0 ? ` (${waiting} newer ones wait for a block)` : ''}`,
  );
}

function compareBlock(
  { row, block, earlier }: { row: BlockRow; block: WalkedBlock; earlier: WalkedBlock | undefined },
  facts: BlockFacts,
  differences: Differences,
): void {
  const { cid, start, size, root } = row;
  differences.require(
    block.start === start && block.tree.size === size,
    () => `block ${cid} does not span ${start} to ${size}`,
  );
  const follows = earlier === undefined ? block.start === 0 && block.previous === null : continues(earlier, block);
  differences.require(follows, () => `block ${cid} does not continue the block before it`);
  const same = block.leafHashes.every((leafHash, position) => {
    const logged = facts.leafHashes[block.start + position];
    return logged !== undefined && Buffer.compare(leafHash, logged) === 0;
  });
  differences.require(same, () => `block ${cid} holds other entries than the log`);
  const tree = facts.trees.get(size);
  const roots = [root, toHex(block.tree.root()), tree === undefined ? 'none' : toHex(tree.root())];
  differences.require(
    new Set(roots).size === 1,
    () => `block ${cid}: the roots of ledger, block and log differ: ${roots.join(', ')}`,
  );
}
