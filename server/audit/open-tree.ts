import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { tileWidth } from '../../protocol/log/tile-path.ts';
import { rootOfTile } from '../../protocol/log/tile-tree.ts';
import { growTree, requireGrowth, type GrowingTree, type GrowingTreeDeps } from './grow-tree.ts';
import { listLeaves } from './list-leaves.ts';
import { TileEdge, type CompletedTile } from './tile-edge.ts';
import type { TileStore } from './tile-store.ts';

/** What the relay has said of its log before. */
export interface Statement {
  size: number;
  /** RFC 6962 root at `size`. */
  root: Uint8Array;
}

/**
 * Opens the tree as it was when the log was last signed. Of a long log only the right edge is read; what of it is missing or damaged
 * on disk is made anew from the ledger.
 *
 * @param signed undefined before the first checkpoint
 * @throws AutoPayError `log_rolled_back` if the ledger is shorter than what was signed, `log_forked` if it leads to another root
 */
export async function openTree(deps: GrowingTreeDeps, signed: Statement | undefined): Promise<GrowingTree> {
  if (signed === undefined || signed.size === 0) return growTree(deps, new TileEdge());
  const { store, ledger } = deps;
  requireGrowth(signed.size, await ledger.logSize());
  const read = await readEdge({ store, ledger }, signed.size);
  if (read !== undefined && Buffer.compare(read.root(), signed.root) === 0) return growTree(deps, read);
  return growTree(deps, await rebuildTiles(deps, signed));
}

/** @throws AutoPayError `log_forked` */
export function requireRoot({ size, root }: Statement, found: Uint8Array): void {
  if (Buffer.compare(root, found) === 0) return;
  throw new AutoPayError(
    'log_forked',
    `The first ${size} log entries of the ledger do not lead to the root that was signed for them. Run autopay fsck, and put the ledger.sqlite in its place that they were signed from: a second log of one name is evidence against the relay.`,
    { facts: { size } },
  );
}

/** The right edge at a size, of the tiles on disk and the last leaves; undefined if a tile of it is missing. */
async function readEdge(
  { store, ledger }: Pick<GrowingTreeDeps, 'store' | 'ledger'>,
  size: number,
): Promise<TileEdge | undefined> {
  const levels: Uint8Array[][] = [[]];
  for await (const page of listLeaves(ledger, { from: size - (size % tileWidth), to: size })) levels[0]?.push(...page);
  for (let level = 1; tileWidth ** level <= size; level += 1) {
    const end = Math.floor(size / tileWidth ** level);
    const hashes = await readRoots(store, { level: level - 1, from: end - (end % tileWidth), to: end });
    if (hashes === undefined) return undefined;
    levels.push(hashes);
  }
  return new TileEdge(size, levels);
}

async function readRoots(
  store: TileStore,
  { level, from, to }: { level: number; from: number; to: number },
): Promise<Uint8Array[] | undefined> {
  const roots: Uint8Array[] = [];
  for (let index = from; index < to; index += 1) {
    const bytes = await store.get({ level, index });
    if (bytes?.length !== tileWidth * 32) return undefined;
    roots.push(rootOfTile(bytes));
  }
  return roots;
}

/** Reads all leaves, twice: no tile is replaced before they have led to the signed root. */
async function rebuildTiles({ store, ledger, log }: GrowingTreeDeps, signed: Statement): Promise<TileEdge> {
  const edge = new TileEdge();
  for await (const page of listLeaves(ledger, { from: 0, to: signed.size })) {
    for (const leaf of page) edge.append(leaf);
  }
  requireRoot(signed, edge.root());
  const again = new TileEdge();
  let written = 0;
  for await (const page of listLeaves(ledger, { from: 0, to: signed.size })) {
    const wanting: CompletedTile[] = [];
    for (const done of page.flatMap((leaf) => again.append(leaf))) {
      const stored = await store.get(done.tile);
      if (stored === undefined || Buffer.compare(stored, done.bytes) !== 0) wanting.push(done);
    }
    await store.put(wanting);
    written += wanting.length;
  }
  log.warn({ size: signed.size, written }, 'tiles of the log were missing or damaged; made them anew from the ledger');
  return edge;
}
