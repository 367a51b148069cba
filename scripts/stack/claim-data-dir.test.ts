import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimDataDir, releaseDataDir } from './claim-data-dir.ts';

let dataDir = '';
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'autopay-claim-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

test('a folder that no stack made is refused, and left alone', async () => {
  await writeFile(join(dataDir, 'thesis.txt'), 'years of work');
  await expect(claimDataDir({ dataDir, ephemeral: true })).rejects.toMatchObject({ code: 'invalid_configuration' });
  expect(await readdir(dataDir)).toEqual(['thesis.txt']);
});

test('what a chain in memory left behind is deleted at the next start, the data of a chain outside are kept', async () => {
  await claimDataDir({ dataDir, ephemeral: true });
  await writeFile(join(dataDir, 'ledger.sqlite'), 'old');
  await releaseDataDir({ dataDir, ephemeral: true });

  await claimDataDir({ dataDir, ephemeral: false });
  expect(await readdir(dataDir)).toEqual(['stack.lock']);
  await writeFile(join(dataDir, 'ledger.sqlite'), 'worth keeping');
  await releaseDataDir({ dataDir, ephemeral: false });

  await claimDataDir({ dataDir, ephemeral: false });
  expect(await readdir(dataDir)).toContain('ledger.sqlite');
});

test('the data of a chain outside are not given up for a chain in memory', async () => {
  await claimDataDir({ dataDir, ephemeral: false });
  await writeFile(join(dataDir, 'ledger.sqlite'), 'worth keeping');
  await releaseDataDir({ dataDir, ephemeral: false });
  await expect(claimDataDir({ dataDir, ephemeral: true })).rejects.toMatchObject({ code: 'invalid_configuration' });
  expect(await readdir(dataDir)).toContain('ledger.sqlite');
});

test('a folder of a running stack is refused, one of a crashed stack is not', async () => {
  const marker = join(dataDir, 'stack.lock');
  // The process that runs this test's process is alive, and not this one.
  await writeFile(marker, JSON.stringify({ pid: process.ppid, ephemeral: true }));
  await expect(claimDataDir({ dataDir, ephemeral: true })).rejects.toMatchObject({ code: 'data_dir_locked' });
  // Above the largest id that Linux gives.
  await writeFile(marker, JSON.stringify({ pid: 4_194_305, ephemeral: true }));
  await expect(claimDataDir({ dataDir, ephemeral: true })).resolves.toBeUndefined();
});

test('the stack file of a chain in memory goes with it, that of a chain outside stays', async () => {
  await claimDataDir({ dataDir, ephemeral: true });
  await writeFile(join(dataDir, 'stack.json'), '{}');
  await releaseDataDir({ dataDir, ephemeral: false });
  expect(await readdir(dataDir)).toContain('stack.json');
  await releaseDataDir({ dataDir, ephemeral: true });
  expect(await readdir(dataDir)).not.toContain('stack.json');
});
