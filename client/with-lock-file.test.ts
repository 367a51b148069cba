import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLockFile } from './with-lock-file.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-lock-'));
  file = join(folder, 'x.lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a lock file', () => {
  it('lets one in at a time, and goes away also after a failure', async () => {
    let inside = 0;
    let most = 0;
    const enter = (index: number) =>
      withLockFile({ file, waitMs: 5_000 }, async () => {
        most = Math.max(most, (inside += 1));
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside -= 1;
        if (index % 3 === 0) throw new Error('failed inside');
      }).catch(() => undefined);
    await Promise.all(Array.from({ length: 12 }, (_, index) => enter(index)));
    expect(most).toBe(1);
    expect(existsSync(file)).toBe(false);
  });

  it('is taken over from a dead process, and from a dead namesake of this one', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    for (const pid of [dead, process.pid]) {
      await writeFile(file, `${pid}\n`);
      expect(await withLockFile({ file, waitMs: 0 }, async () => 'in')).toBe('in');
    }
  });

  it('is respected while its owner lives', async () => {
    await writeFile(file, `${process.ppid}\n`);
    await expect(withLockFile({ file, waitMs: 30 }, async () => 'in')).rejects.toMatchObject({
      code: 'data_dir_locked',
    });
    expect(existsSync(file)).toBe(true);
  });
});
