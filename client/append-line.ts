import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './sync-to-disk.ts';

const newline = 0x0a;

/**
 * Appends a line to a file that only its owner may read (0600); its folder is created (0700) with it. When this resolves, the line is on
 * the disk. One write in append mode: lines of several processes do not mix. A line that a crash cut short before is ended first, so that
 * it does not take this one with it.
 */
export async function appendLine(file: string, line: string): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const handle = await open(file, 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1, newline);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    await handle.appendFile(`${last[0] === newline ? '' : '\n'}${line}\n`);
    await handle.sync();
    if (size === 0) await syncFolder(folder);
  } finally {
    await handle.close();
  }
}
