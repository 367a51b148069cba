import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { tileWidth } from '../../protocol/log/tile-path.ts';
import { rootOfTile } from '../../protocol/log/tile-tree.ts';
import type { JobLog } from '../chain/job-log.ts';
import { listLeaves, type LeafSource } from './list-leaves.ts';
import { TileEdge } from './tile-edge.ts';
import type { FullTile, TileStore } from './tile-store.ts';

/** What reading tiles works with. */
export interface TileReaderDeps {
  store: TileStore;
  ledger: LeafSource;
  /** The hash of a full tile in the level above it. */
  hashOf: (tile: FullTile) => Promise<Uint8Array>;
  log: JobLog;
}

/** Reads full tiles of the log. */
export interface TileReader {
  /**
   * The bytes of a full tile. They MUST lead to its hash in the level above, and so to the signed root: a tile that is missing or
   * damaged is made anew from the ledger.
   * @throws AutoPayError `verification_failed` if the ledger does not lead there either
   */
  read(tile: FullTile): Promise<Uint8Array>;
  /** Remembers a tile that was just written. */
  remember(tile: FullTile, bytes: Uint8Array): void;
}

/** The most tiles that are kept in memory, 8 KiB each. */
const maxRemembered = 512;

/** Makes a reader that remembers what it has checked. */
export function createTileReader(deps: TileReaderDeps): TileReader {
  const remembered = new Map<string, Promise<Uint8Array>>();

  function remember({ level, index }: FullTile, bytes: Promise<Uint8Array>): void {
    const key = `${level}/${index}`;
    remembered.delete(key);
    const [oldest] = remembered.size >= maxRemembered ? remembered.keys() : [];
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(key, bytes);
  }

  return {
    read(tile) {
      const key = `${tile.level}/${tile.index}`;
      const known = remembered.get(key);
      const bytes = known ?? readChecked(deps, tile);
      remember(tile, bytes);
      // What could not be read is tried again.
      bytes.catch(() => remembered.get(key) === bytes && remembered.delete(key));
      return bytes;
    },
    remember: (tile, bytes) => remember(tile, Promise.resolve(bytes)),
  };
}

async function readChecked(deps: TileReaderDeps, tile: FullTile): Promise<Uint8Array> {
  const expected = await deps.hashOf(tile);
  const stored = await deps.store.get(tile);
  if (stored !== undefined && leadsTo(expected, stored)) return stored;
  const bytes = await makeTile(deps.ledger, tile);
  if (bytes === undefined || !leadsTo(expected, bytes)) {
    throw new AutoPayError(
      'verification_failed',
      `Tile ${tile.index} of level ${tile.level} is ${stored ? 'damaged' : 'missing'}, and the ledger does not lead to the signed root either. Run autopay fsck.`,
      { facts: { level: tile.level, index: tile.index } },
    );
  }
  await deps.store.put([{ tile, bytes }]);
  deps.log.warn({ ...tile, was: stored ? 'damaged' : 'missing' }, 'made a tile of the log anew from the ledger');
  return bytes;
}

function leadsTo(root: Uint8Array, tile: Uint8Array): boolean {
  return tile.length === tileWidth * 32 && Buffer.compare(rootOfTile(tile), root) === 0;
}

/** From all leaves below it: it is rare, and no other tile has to be believed. */
async function makeTile(ledger: LeafSource, { level, index }: FullTile): Promise<Uint8Array | undefined> {
  const width = tileWidth ** (level + 1);
  // A full tile is a tree of its own.
  const edge = new TileEdge();
  for await (const page of listLeaves(ledger, { from: index * width, to: (index + 1) * width })) {
    for (const leaf of page) {
      for (const { tile, bytes } of edge.append(leaf)) if (tile.level === level) return bytes;
    }
  }
  return undefined;
}
