import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CarWriter } from '@ipld/car/writer';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cidOfBlock, encodeBatchBlock, maxBlockBytes } from '../protocol/log/batch-block.ts';
import { openCarSource } from './car-source.ts';
import { readBlock } from './walk-log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-car-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const makeBlock = (entry: string) => {
  const bytes = encodeBatchBlock({ previous: null, start: 0, frontier: [], entries: [Buffer.from(entry)] });
  return { cid: cidOfBlock(bytes), bytes };
};
const one = makeBlock('one');
const two = makeBlock('two');

async function writeCar(blocks = [two, one]): Promise<string> {
  const file = join(folder, 'log.car');
  const { writer, out } = CarWriter.create([two.cid]);
  const written = pipeline(Readable.from(out), createWriteStream(file));
  for (const block of blocks) await writer.put(block);
  await writer.close();
  await written;
  return file;
}

test('blocks of a CAR file are read by their CIDs, and checked as those of any other source', async () => {
  const source = await openCarSource(await writeCar());
  expect(source.roots).toEqual([two.cid.toString()]);
  expect((await readBlock(source, one.cid)).entries.map((entry) => Buffer.from(entry).toString())).toEqual(['one']);
  expect((await readBlock(source, two.cid)).entries).toHaveLength(1);
  expect(await source.get(cidOfBlock(Buffer.from('absent')))).toBeUndefined();
  await source.close();
});

test('a block that is longer than one may be is not there, and takes none of the memory', async () => {
  const bytes = Buffer.alloc(maxBlockBytes + 1);
  const source = await openCarSource(await writeCar([two, { cid: cidOfBlock(bytes), bytes }, one]));
  expect(await source.get(cidOfBlock(bytes))).toBeUndefined();
  expect((await readBlock(source, one.cid)).entries).toHaveLength(1);
  await source.close();
});

test('what is no CAR, or is cut off, is told', async () => {
  const none = join(folder, 'none.car');
  await writeFile(none, 'no archive at all');
  for (const file of [none, join(folder, 'absent.car')]) {
    await expect(openCarSource(file)).rejects.toMatchObject({ code: 'invalid_encoding' });
  }
  const file = await writeCar();
  await truncate(file, 200);
  await expect(
    (async () => {
      const source = await openCarSource(file);
      try {
        await source.get(one.cid);
        await source.get(two.cid);
        throw new Error('both were read');
      } finally {
        await source.close();
      }
    })(),
  ).rejects.toMatchObject({ code: 'invalid_encoding' });
});
