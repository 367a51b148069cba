import { CID } from 'multiformats/cid';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { decodeBatchBlock } from '../../protocol/log/batch-block.ts';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import type { BackgroundLedger, StoredBlock } from '../ledger/background-ledger.ts';
import { appendLeaves } from './append-leaves.ts';
import type { BlockStore } from './block-store.ts';
import { cutBlock, type LogHead } from './cut-block.ts';

/** What writing blocks works with. */
export interface WriteBlocksDeps {
  ledger: BackgroundLedger;
  blocks: BlockStore;
  /** The most entries that are read for one block. */
  maxEntriesPerBlock?: number;
  /** Entries from this position on are left for later; none by default. */
  upTo?: number;
}

/** Bounds one run; what is left waits for the next. */
const maxBlocksPerRun = 50;

/**
 * Puts logged entries that are in no block yet into blocks. A block is on disk before the ledger knows it; a crash in
 * between leaves a file that nothing refers to, and the next run cuts a block anew.
 * @returns the newest block, if there is any.
 */
export function writeBlocks(deps: WriteBlocksDeps): Promise<StoredBlock | undefined> {
  const before = turns.get(deps.blocks) ?? Promise.resolve();
  const turn = before.then(() => writeInTurn(deps));
  turns.set(
    deps.blocks,
    turn.catch(() => undefined),
  );
  return turn;
}

/** The anchors of several chains are of one log: one of them cuts blocks at a time. */
const turns = new WeakMap<BlockStore, Promise<unknown>>();

async function writeInTurn(deps: WriteBlocksDeps): Promise<StoredBlock | undefined> {
  const { ledger, blocks, maxEntriesPerBlock = 1_000, upTo = Infinity } = deps;
  let last = await ledger.lastBlock();
  for (let written = 0; written < maxBlocksPerRun; written += 1) {
    const head = headOf(last);
    const limit = Math.min(maxEntriesPerBlock, upTo - head.frontier.size);
    if (limit <= 0) return last;
    const entries = await ledger.listEntries({ from: head.frontier.size, limit });
    if (entries.length === 0) return last;
    entries.forEach((entry, position) => {
      if (entry.index !== head.frontier.size + position) {
        throw new AutoPayError(
          'internal_error',
          `The log has no entry ${head.frontier.size + position}. Run autopay fsck.`,
        );
      }
    });
    const cut = await cutBlock(
      head,
      entries.map((entry) => entry.entry),
    );
    const cid = await blocks.put(cut.bytes);
    const { frontier } = cut;
    last = {
      start: head.frontier.size,
      size: frontier.size,
      cid: cid.toString(),
      root: frontier.root(),
      frontier: frontier.roots,
    };
    await ledger.addBlock(last);
  }
  return last;
}

function headOf(last: StoredBlock | undefined): LogHead {
  if (last === undefined) return { previous: null, frontier: new Frontier() };
  return { previous: CID.parse(last.cid), frontier: new Frontier(last.size, last.frontier) };
}

/**
 * Reads a block back as a stranger would, and computes its root from its bytes alone: what goes on the chain MUST be
 * what can be read.
 * @throws AutoPayError `verification_failed` or `invalid_encoding`.
 */
export async function checkBlock(blocks: BlockStore, block: StoredBlock): Promise<CID> {
  const cid = CID.parse(block.cid);
  const bytes = await blocks.get(cid);
  if (bytes === undefined) {
    throw new AutoPayError(
      'verification_failed',
      `Block ${block.cid} is missing from the blocks folder. Restore it from a copy.`,
    );
  }
  const read = decodeBatchBlock(bytes, cid);
  const tree = new Frontier(read.start, read.frontier);
  await appendLeaves(tree, read.entries);
  if (tree.size !== block.size || Buffer.compare(tree.root(), block.root) !== 0) {
    throw new AutoPayError(
      'verification_failed',
      `Block ${block.cid} does not lead to the root of size ${block.size}. Run autopay fsck.`,
    );
  }
  return cid;
}
