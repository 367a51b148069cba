import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { markOf, watchFiles, type FileWatcher } from './watch-files.ts';

let folder = '';
let watcher: FileWatcher;
const onChange = vi.fn<() => void>();
const file = (name: string) => join(folder, name);
const marked = (name: string) => new Map([[file(name), markOf(file(name))]]);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-watch-'));
  onChange.mockReset();
  watcher = watchFiles({ onChange, intervalMs: 20 });
});
afterEach(async () => {
  watcher.close();
  await rm(folder, { recursive: true });
});

test('tells of a file that is written, and of one that takes its place', async () => {
  await writeFile(file('a'), '1');
  watcher.set(marked('a'));
  await writeFile(file('a'), '22');
  await vi.waitFor(() => expect(onChange).toHaveBeenCalled(), 5_000);
  onChange.mockReset();
  await writeFile(file('b'), '33');
  await rename(file('b'), file('a'));
  await vi.waitFor(() => expect(onChange).toHaveBeenCalled(), 5_000);
});

test('tells of a file that comes to be', async () => {
  watcher.set(marked('late'));
  await writeFile(file('late'), '1');
  await vi.waitFor(() => expect(onChange).toHaveBeenCalled(), 5_000);
});

test('looks only at those that are set', async () => {
  await writeFile(file('a'), '1');
  await writeFile(file('b'), '1');
  watcher.set(marked('a'));
  watcher.set(marked('b'));
  await writeFile(file('a'), '22');
  await writeFile(file('b'), '22');
  await vi.waitFor(() => expect(onChange).toHaveBeenCalled(), 5_000);
  expect(onChange).toHaveBeenCalledTimes(1);
});

test('tells of what changed between the reading and the watch', async () => {
  await writeFile(file('a'), '1');
  const read = marked('a');
  await writeFile(file('a'), '22');
  watcher.set(read);
  await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), 5_000);
});
