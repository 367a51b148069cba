import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createConfigFiles } from './config-files.ts';
import { markOf } from './watch-files.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('names each file that a refused reading came to, as it was before', async () => {
  const [main, foreign, missing] = ['autopay.yaml', 'litellm.yaml', 'late.yaml'].map((name) => join(folder, name));
  if (!main || !foreign || !missing) throw new Error('no names');
  await writeFile(main, 'import: [litellm.yaml, late.yaml]\n');
  await writeFile(foreign, 'model_list: []\n');
  const files = createConfigFiles(main, { env: {} });
  expect([...files.marks()]).toEqual([]);
  const before = markOf(foreign);
  await expect(files.load()).rejects.toMatchObject({ code: 'invalid_configuration' });
  // The one that is missing is waited for.
  expect([...files.marks()]).toEqual([
    [main, markOf(main)],
    [foreign, before],
    [missing, ''],
  ]);
});
