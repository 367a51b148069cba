import { tileWidth, widthIn, type Tile } from '../../protocol/log/tile-path.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { listLeaves } from './list-leaves.ts';
import { createTileReader } from './read-tiles.ts';
import type { CompletedTile, TileEdge } from './tile-edge.ts';
import type { FullTile, TileStore } from './tile-store.ts';

/** Tiles that are written together share the syncing of their folders; 8 KiB each. */
const tilesPerWrite = 32;

/** What a tree grows from. */
export interface GrowingTreeDeps {
  store: TileStore;
  ledger: Pick<BackgroundLedger, 'listLeafHashes' | 'logSize'>;
  log: JobLog;
}

/** The tree over the log's entries: full tiles on disk, the others in memory. */
export interface GrowingTree {
  /** Number of leaves. */
  size(): number;
  /** RFC 6962 root at `size`. */
  root(): Uint8Array;
  /**
   * Takes in all entries that the ledger has by now. Once it resolves, every full tile MUST survive a loss of power. It MUST NOT run
   * twice at the same time; after a failure it goes on where it was.
   * @throws AutoPayError `log_rolled_back` if the ledger has become shorter
   */
  grow(): Promise<void>;
  /**
   * The hashes of a tile; of one that is wider now, its first ones.
   * @throws RangeError if the tree has no such tile; AutoPayError as TileReader.read
   */
  readTile(tile: Tile): Promise<Uint8Array>;
}

/**
 * Makes a tree of its right edge, which MUST have been compared with a signed root: all tiles on disk are checked against it.
 */
export function growTree({ store, ledger, log }: GrowingTreeDeps, edge: TileEdge): GrowingTree {
  /** Full, and not known to be on disk. */
  const unwritten = new Map<string, CompletedTile>();
  const reader = createTileReader({ store, ledger, hashOf, log });

  async function readTile({ level, index, width }: Tile): Promise<Uint8Array> {
    const now = widthIn(edge.size, { level, index });
    if (width < 1 || width > now)
      throw new RangeError(`a tree of ${edge.size} has no tile ${level}/${index} of ${width}`);
    if (now < tileWidth) return Buffer.concat(edge.hashesOf(level).slice(0, width));
    const bytes = unwritten.get(`${level}/${index}`)?.bytes ?? (await reader.read({ level, index }));
    return bytes.subarray(0, width * 32);
  }

  async function hashOf({ level, index }: FullTile): Promise<Uint8Array> {
    const at = index % tileWidth;
    const above = { level: level + 1, index: Math.floor(index / tileWidth), width: at + 1 };
    return (await readTile(above)).subarray(at * 32);
  }

  async function write(): Promise<void> {
    const tiles = [...unwritten.values()];
    if (tiles.length === 0) return;
    await store.put(tiles);
    for (const { tile, bytes } of tiles) reader.remember(tile, bytes);
    unwritten.clear();
  }

  return {
    size: () => edge.size,
    root: () => edge.root(),
    readTile,
    async grow() {
      // Of a run that failed.
      await write();
      const to = await ledger.logSize();
      requireGrowth(edge.size, to);
      for await (const page of listLeaves(ledger, { from: edge.size, to })) {
        for (const leaf of page) {
          for (const done of edge.append(leaf)) unwritten.set(`${done.tile.level}/${done.tile.index}`, done);
        }
        if (unwritten.size >= tilesPerWrite) await write();
      }
      await write();
    },
  };
}

/** @throws AutoPayError `log_rolled_back` */
export function requireGrowth(signed: number, size: number): void {
  if (size >= signed) return;
  throw new AutoPayError(
    'log_rolled_back',
    `The ledger has ${size} log entries, but the log was signed with ${signed}: these are not the newest books. Put the newest ledger.sqlite in their place. If it is lost, this log has ended: deploy anew, because nothing may be signed in the place of what is missing.`,
    { facts: { size, signed } },
  );
}
