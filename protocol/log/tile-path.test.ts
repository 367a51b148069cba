import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entriesPath, parseEntriesPath, parseTilePath, tilePath, widthIn } from './tile-path.ts';

const tiles = fc.record({
  level: fc.integer({ min: 0, max: 63 }),
  index: fc.maxSafeNat(),
  width: fc.integer({ min: 1, max: 256 }),
});

describe('the path of a tile', () => {
  it('is that of C2SP tlog-tiles', () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe('tile/0/x001/x234/067');
    expect(tilePath({ level: 1, index: 0, width: 17 })).toBe('tile/1/000.p/17');
    expect(tilePath({ level: 0, index: 999, width: 256 })).toBe('tile/0/999');
    expect(entriesPath({ index: 1_000, width: 255 })).toBe('tile/entries/x001/000.p/255');
  });

  it('leads back to the tile, and to no other', () => {
    fc.assert(
      fc.property(tiles, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual(tile);
        expect(parseEntriesPath(entriesPath(tile))).toEqual({ index: tile.index, width: tile.width });
        expect(parseTilePath(entriesPath(tile))).toBeUndefined();
        expect(parseEntriesPath(tilePath(tile))).toBeUndefined();
      }),
    );
  });

  it.each([
    ...['', 'tile', 'tile/', 'tile/0', 'tile/0/', 'tile/0/0', 'tile/0/00', 'tile/0/0000', 'tile/0/x000/001'],
    ...['tile/0/001/002', 'tile/0/x001', 'tile/64/000', 'tile/00/000', 'tile/-1/000', 'tile/0/000/', '/tile/0/000'],
    ...['tile/0/000.p/0', 'tile/0/000.p/01', 'tile/0/000.p/256', 'tile/0/000.p/', 'tile/0/000.p', 'tile/0/000.p/1/2'],
    ...['tile/0/../000', 'tile/0/x999/x999/x999/x999/x999/999', 'tile/entries/000', 'tile/0/000?x', 'tile/0/%30%30%30'],
  ])('is not %j', (path) => {
    expect(parseTilePath(path)).toBeUndefined();
  });

  it.each([
    'tile/entries',
    'tile/entries/',
    'tile/entries/0',
    'tile/entries/000.p/256',
    'tile/entries/x000/001',
    'tile/1/000',
  ])('of entries is not %j', (path) => {
    expect(parseEntriesPath(path)).toBeUndefined();
  });
});

describe('the tiles of a tree', () => {
  it('are those of the example of C2SP, 70,000 leaves', () => {
    const widths = (level: number, from: number) =>
      [0, 1, 2].map((more) => widthIn(70_000, { level, index: from + more }));
    expect(widths(0, 272)).toEqual([256, 112, 0]);
    expect(widths(1, 0)).toEqual([256, 17, 0]);
    expect(widths(2, 0)).toEqual([1, 0, 0]);
    expect(widths(3, 0)).toEqual([0, 0, 0]);
    expect(widthIn(256, { level: 0, index: 0 })).toBe(256);
    expect(widthIn(256, { level: 1, index: 0 })).toBe(1);
    expect(widthIn(0, { level: 0, index: 0 })).toBe(0);
  });
});
