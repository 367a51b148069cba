import { describe, expect, it } from 'vitest';
import { toHex } from '../protocol/bytes/hex.ts';
import { cidOfBlock, encodeBatchBlock } from '../protocol/log/batch-block.ts';
import { makeLog, rootOf } from './testing/synthetic-log.ts';
import { Refuted } from './verification.ts';
import { LogWalk } from './walk-log.ts';

const entries = Array.from({ length: 23 }, (_, index) => Buffer.from(`entry ${index}`));

async function walkAll(walk: LogWalk): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (let block = await walk.back(); block; block = await walk.back())
    found.unshift(...block.entries.map((entry) => Buffer.from(entry)));
  return found;
}

describe('a walk through a log', () => {
  it('reads every entry, from the end to the beginning', async () => {
    for (const perBlock of [1, 4, 23]) {
      const { source, head, blocks } = await makeLog(entries, { perBlock });
      const walk = new LogWalk(source, head);
      expect([walk.size, walk.start, walk.blockCount]).toEqual([23, 23, 0]);
      expect(await walkAll(walk)).toEqual(entries);
      expect([walk.start, walk.blockCount]).toEqual([0, blocks.length]);
      expect(await walk.back()).toBeUndefined();
    }
  });

  it('gives the root at each size, and walks on only as far as that needs', async () => {
    const { source, head } = await makeLog(entries, { perBlock: 5 });
    const walk = new LogWalk(source, head);
    expect(toHex(await walk.rootAt(23))).toBe(rootOf(entries));
    expect(walk.blockCount).toBe(1);
    expect(toHex(await walk.rootAt(12))).toBe(rootOf(entries.slice(0, 12)));
    expect(walk.start).toBe(10);
    for (let size = 1; size <= 23; size += 1)
      expect(toHex(await walk.rootAt(size))).toBe(rootOf(entries.slice(0, size)));
    await expect(walk.rootAt(24)).rejects.toThrow(RangeError);
    await expect(walk.rootAt(0)).rejects.toThrow(RangeError);
  });

  it('refuses a head that is another, and blocks that do not continue each other', async () => {
    const { source, head, blocks } = await makeLog(entries, { perBlock: 5 });
    await expect(walkAll(new LogWalk(source, { ...head, size: 22 }))).rejects.toThrow('not to the anchored one');
    await expect(walkAll(new LogWalk(source, { ...head, root: Buffer.alloc(32) }))).rejects.toThrow(Refuted);
    // The newest block is rebuilt upon another log, with the frontier of the real one: its root is right, its past is not.
    const other = await makeLog(entries.with(3, Buffer.from('changed')), { perBlock: 5 });
    const [before] = blocks.slice(-2);
    const foreign = other.blocks.at(-2);
    const newest = blocks.at(-1);
    if (!before || !foreign || !newest) throw new Error('the log has too few blocks');
    const {
      start,
      frontier,
      entries: own,
    } = (await new LogWalk(source, head).back()) ?? { start: 0, frontier: [], entries: [] };
    const bytes = encodeBatchBlock({ previous: foreign.cid, start, frontier, entries: own });
    const stores = [...blocks, ...other.blocks, { cid: cidOfBlock(bytes), bytes }];
    const mixed = {
      get: (cid: typeof foreign.cid) => Promise.resolve(stores.find((block) => block.cid.equals(cid))?.bytes),
    };
    await expect(walkAll(new LogWalk(mixed, { ...head, cid: cidOfBlock(bytes) }))).rejects.toThrow(
      'does not continue block',
    );
  });

  it('refuses a log that begins in the middle, and blocks without an entry', async () => {
    const [{ source, head }] = [await makeLog(entries, { perBlock: 5 })];
    const last = await new LogWalk(source, head).back();
    if (!last) throw new Error('the log has no block');
    const { start, frontier } = last;
    const cut = encodeBatchBlock({ previous: null, start, frontier, entries: last.entries });
    const only = (bytes: Uint8Array) => ({ get: () => Promise.resolve(bytes) });
    await expect(walkAll(new LogWalk(only(cut), { ...head, cid: cidOfBlock(cut) }))).rejects.toThrow(
      'begins the log at 20',
    );
    const empty = encodeBatchBlock({ previous: head.cid, start: 23, frontier: last.tree.roots, entries: [] });
    await expect(walkAll(new LogWalk(only(empty), { ...head, cid: cidOfBlock(empty) }))).rejects.toThrow(
      'has no entry',
    );
  });
});
