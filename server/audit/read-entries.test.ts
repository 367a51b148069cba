import { describe, expect, it } from 'vitest';
import { decodeEntryBundle } from '../../protocol/log/entry-bundle.ts';
import type { Tile } from '../../protocol/log/tile-path.ts';
import { createEntryReader } from './read-entries.ts';
import { createToyEntries } from './toy-log-fixture.ts';

const treeOf = ({ leafHashes }: ReturnType<typeof createToyEntries>) => ({
  readTile: async ({ index, width }: Tile) => Buffer.concat(leafHashes.slice(index * 256, index * 256 + width)),
});

describe('a reader of entries', () => {
  it('reads as many entries as were asked for, from where the bundle begins', async () => {
    const entries = createToyEntries(300);
    const read = createEntryReader({ ledger: entries, tree: treeOf(entries) });
    expect(decodeEntryBundle(await read({ index: 0, width: 256 }))).toEqual(entries.entries.slice(0, 256));
    expect(decodeEntryBundle(await read({ index: 1, width: 44 }))).toEqual(entries.entries.slice(256));
    expect(decodeEntryBundle(await read({ index: 1, width: 3 }))).toEqual(entries.entries.slice(256, 259));
  });

  it('gives out no other entry than was signed', async () => {
    const entries = createToyEntries(3);
    const read = createEntryReader({ ledger: entries, tree: treeOf(entries) });
    entries.entries[1] = Buffer.from('another');
    await expect(read({ index: 0, width: 3 })).rejects.toMatchObject({
      code: 'verification_failed',
      message: 'The ledger has not log entry 1 as it was signed. Run autopay fsck.',
    });
    entries.entries.length = 2;
    entries.entries[1] = Buffer.from('entry 1');
    await expect(read({ index: 0, width: 3 })).rejects.toThrow('has not log entry 2');
  });

  it('asks the ledger twice at a time, and refuses beyond what may wait', async () => {
    const entries = createToyEntries(1);
    const asked: (() => void)[] = [];
    const ledger = {
      listEntries: (options: { from: number; limit: number }) =>
        new Promise<void>((resume) => asked.push(resume)).then(() => entries.listEntries(options)),
    };
    const read = createEntryReader({ ledger, tree: treeOf(entries) });
    const reads = Array.from({ length: 70 }, () => read({ index: 0, width: 1 }));
    const results = Promise.allSettled(reads);
    await new Promise(setImmediate);
    expect(asked).toHaveLength(2);
    for (let answered = 0; answered < 66; answered += 1) {
      asked[answered]?.();
      await new Promise(setImmediate);
      expect(asked.length).toBe(Math.min(66, answered + 3));
    }
    const refused = (await results).flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
    expect(refused).toHaveLength(4);
    for (const error of refused) expect(error).toMatchObject({ code: 'overloaded' });
    const last = read({ index: 0, width: 1 });
    await new Promise(setImmediate);
    asked.at(-1)?.();
    expect(await last).toHaveLength(2 + 'entry 0'.length);
  });

  it('has what is made of a bundle done within the same bounds', async () => {
    const entries = createToyEntries(1);
    const read = createEntryReader({ ledger: entries, tree: treeOf(entries) });
    const begun: (() => void)[] = [];
    const encode = () => new Promise<Buffer>((resolve) => begun.push(() => resolve(Buffer.from('short'))));
    const reads = Array.from({ length: 3 }, () => read({ index: 0, width: 1 }, encode));
    await new Promise(setImmediate);
    expect(begun).toHaveLength(2);
    begun[0]?.();
    expect(await reads[0]).toEqual(Buffer.from('short'));
    await new Promise(setImmediate);
    expect(begun).toHaveLength(3);
    for (const end of begun) end();
    await Promise.all(reads);
  });
});
