import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findConfig } from './find-config.ts';

let folder = '';
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-find-'));
  await writeFile(file('config.yaml'), 'model_list: []');
  await writeFile(file('other.yaml'), 'routes: [{ model: m }]');
});
afterAll(() => rm(folder, { recursive: true }));

test('is the data folder’s autopay.yaml, with a foreign file if one is given', async () => {
  expect(await findConfig('/data')).toEqual({ file: '/data/autopay.yaml', imports: [] });
  expect(await findConfig('/data', file('config.yaml'))).toEqual({
    file: '/data/autopay.yaml',
    imports: [file('config.yaml')],
  });
});

test('is another autopay.yaml if that is given', async () => {
  expect(await findConfig('/data', file('other.yaml'))).toEqual({ file: file('other.yaml'), imports: [] });
});

test('has to be there', async () => {
  await expect(findConfig('/data', file('none.yaml'))).rejects.toThrow(/Cannot read the configuration .*none\.yaml/);
});
