import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from './ledger-fixtures.ts';
import { lockDataFolder } from './lock-data-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let file: string;
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder.dataDir, 'relay.lock');
});
afterEach(() => folder.remove());

test('a lock holds until it is given back', () => {
  const unlock = lockDataFolder(file);
  expect(readFileSync(file, 'utf8').split('\n')[0]).toBe(String(process.pid));
  expect(() => lockDataFolder(file)).toThrow(expect.objectContaining({ code: 'data_dir_locked' }));
  unlock();
  expect(existsSync(file)).toBe(false);
  lockDataFolder(file)();
});

test("a living process's lock is respected, also one that tells no start time", async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    writeFileSync(file, `${child.pid}\n`);
    expect(() => lockDataFolder(file)).toThrow(`pid ${child.pid}`);
    expect(readFileSync(file, 'utf8')).toBe(`${child.pid}\n`);
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  lockDataFolder(file)();
});

test('a lock whose pid now belongs to another process is stale', () => {
  writeFileSync(file, `${process.ppid}\n1\n`);
  lockDataFolder(file)();
});

test('own pid in a lock of a former life (as in a container) is stale', () => {
  writeFileSync(file, `${process.pid}\n1\n`);
  lockDataFolder(file)();
});

test('a lock that was torn while written is stale', () => {
  writeFileSync(file, '');
  lockDataFolder(file)();
});
