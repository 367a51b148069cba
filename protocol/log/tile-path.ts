/** Number of hashes, or entries, in a full tile (C2SP tlog-tiles): tiles are subtrees of height 8. */
export const tileWidth = 256;

/** Height of the subtree that a tile is. */
export const tileHeight = 8;

/** The highest level that has a path. */
const maxLevel = 63;

/** A run of hashes of a tree, or of its entries. */
export interface Tile {
  /** 0 has the leaf hashes; each hash of a level above is the root of a full tile of the level below. */
  level: number;
  /** Position in its level. */
  index: number;
  /** How many there are in it, 1 to 256; below 256 it is partial. */
  width: number;
}

/** A bundle of entries: those whose leaf hashes are the tile of level 0 with the same index and width. */
export type EntryTile = Pick<Tile, 'index' | 'width'>;

/** The path of a hash tile behind the log's prefix: `tile/<L>/<N>[.p/<W>]` (C2SP tlog-tiles, "Merkle Tree"). */
export function tilePath({ level, index, width }: Tile): string {
  return `tile/${level}/${placeOf({ index, width })}`;
}

/** The path of a bundle behind the log's prefix: `tile/entries/<N>[.p/<W>]` (C2SP tlog-tiles, "Log entries"). */
export function entriesPath(tile: EntryTile): string {
  return `tile/entries/${placeOf(tile)}`;
}

/** Reads the path of a hash tile; undefined for all else. */
export function parseTilePath(path: string): Tile | undefined {
  const [, level = '', place = ''] = /^tile\/(0|[1-9][0-9]?)\/(.+)$/.exec(path) ?? [];
  const parsed = parsePlace(place);
  if (parsed === undefined || Number(level) > maxLevel) return undefined;
  return { level: Number(level), ...parsed };
}

/** Reads the path of a bundle; undefined for all else. */
export function parseEntriesPath(path: string): EntryTile | undefined {
  const [, place = ''] = /^tile\/entries\/(.+)$/.exec(path) ?? [];
  return parsePlace(place);
}

/** How wide a tile is in a tree of this size; 0 if the tree has none there. */
export function widthIn(size: number, { level, index }: Pick<Tile, 'level' | 'index'>): number {
  const hashes = Math.floor(size / tileWidth ** level);
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth));
}

/** Groups of three digits, all but the last behind an x. */
function placeOf({ index, width }: EntryTile): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/.{3}/g) ?? [];
  const place = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return width === tileWidth ? place : `${place}.p/${width}`;
}

function parsePlace(place: string): EntryTile | undefined {
  const [, groups = '', partial] = /^((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(place) ?? [];
  const index = Number(groups.replace(/[x/]/g, ''));
  const width = partial === undefined ? tileWidth : Number(partial);
  const tile = { index, width };
  // One tile has one path: zeros in front, and a full width, are none of it.
  return Number.isSafeInteger(index) && placeOf(tile) === place ? tile : undefined;
}
