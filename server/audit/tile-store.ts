import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { tilePath, tileWidth, type Tile } from '../../protocol/log/tile-path.ts';
import { syncFolder } from './sync-folder.ts';
import { createSweeper, replaceFile } from './replace-file.ts';

/** A full tile's place in the tree. */
export type FullTile = Omit<Tile, 'width'>;

/** Full hash tiles on disk, under the paths of C2SP tlog-tiles. What they hold is not judged here. */
export interface TileStore {
  /** Stores tiles, and resolves once they MUST survive a loss of power: files and folders are synced. Repeating it has no effect. */
  put(tiles: readonly { tile: FullTile; bytes: Uint8Array }[]): Promise<void>;
  /** The bytes of a tile, whatever they are; undefined if it is not here. */
  get(tile: FullTile): Promise<Uint8Array | undefined>;
}

/** Tiles that are written at one time. */
const parallelWrites = 8;

/** A tile store in a folder, which is created at the first tile. */
export function createTileStore(folder: string): TileStore {
  const sweep = createSweeper();
  const fileOf = (tile: FullTile) => join(folder, tilePath({ ...tile, width: tileWidth }));
  return {
    async put(tiles) {
      const files = tiles.map(({ tile, bytes }) => ({ file: fileOf(tile), bytes }));
      const changed = new Set(files.flatMap(({ file }) => foldersOf(folder, file)));
      for (const name of changed) await mkdir(name, { recursive: true });
      // What a crash left is here too: the tiles that were being written are written again.
      for (const name of new Set(files.map(({ file }) => dirname(file)))) await sweep(name);
      const waiting = files.values();
      const write = async () => {
        // All of them take from one iterator.
        for (const { file, bytes } of waiting) await replaceFile(file, bytes);
      };
      await Promise.all(Array.from({ length: parallelWrites }, write));
      // The folder may be new, and its own name not durable.
      if (changed.size > 0) changed.add(dirname(folder));
      for (const name of changed) await syncFolder(name);
    },
    get: (tile) =>
      readFile(fileOf(tile)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      }),
  };
}

/** The folders of a file down from `folder`, which may all be new. */
function foldersOf(folder: string, file: string): string[] {
  const names = relative(folder, dirname(file)).split(sep);
  return [folder, ...names.map((_, depth) => join(folder, ...names.slice(0, depth + 1)))];
}
