import { type CID } from 'multiformats/cid';
import { decodeBatchBlock, type BatchBlock } from '../protocol/log/batch-block.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';

/** Where blocks come from: a folder, a gateway. It need not be trusted. */
export interface BlockSource {
  /** The bytes of a block; undefined if it is not there. */
  get(cid: CID): Promise<Uint8Array | undefined>;
}

/** A block that was read, and the tree that its own bytes lead to. */
export interface WalkedBlock extends BatchBlock {
  cid: CID;
  leafHashes: Uint8Array[];
  /** Tree over all entries including the block's. */
  tree: Frontier;
}

/**
 * Reads a block.
 * @throws AutoPayError `verification_failed` or `invalid_encoding`, Error if the source does not have it.
 */
export async function readBlock(source: BlockSource, cid: CID): Promise<WalkedBlock> {
  const bytes = await source.get(cid);
  if (bytes === undefined) throw new Error(`block ${cid.toString()} is not at the source`);
  const block = decodeBatchBlock(bytes, cid);
  const leafHashes = block.entries.map((entry) => hashLeaf(entry));
  const tree = new Frontier(block.start, block.frontier);
  for (const leafHash of leafHashes) tree.append(leafHash);
  return { ...block, cid, leafHashes, tree };
}

/** Whether `later` continues exactly where `earlier` ends. */
export function continues(earlier: WalkedBlock, later: WalkedBlock): boolean {
  return (
    later.previous?.toString() === earlier.cid.toString() &&
    later.start === earlier.tree.size &&
    Buffer.compare(Buffer.concat(later.frontier), Buffer.concat(earlier.tree.roots)) === 0
  );
}
