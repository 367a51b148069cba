import { randomUUID } from 'node:crypto';
import { open, opendir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What `replaceFile` puts behind a file's name until it is whole. */
const temporaryPattern = /\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/**
 * Deletes what processes left behind in a folder that died while they replaced files in it; nobody else may write there meanwhile. A
 * folder that is not there has none.
 */
export async function sweepLeftOvers(folder: string): Promise<void> {
  try {
    for await (const { name } of await opendir(folder, { bufferSize: 1_024 })) {
      if (temporaryPattern.test(name)) await rm(join(folder, name), { force: true });
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Sweeps each folder once: to be awaited before the first write to it, also by those who come while it is swept. */
export function createSweeper(): (folder: string) => Promise<void> {
  const swept = new Map<string, Promise<void>>();
  return (folder) => {
    const known = swept.get(folder);
    if (known) return known;
    const sweeping = sweepLeftOvers(folder);
    swept.set(folder, sweeping);
    // What failed is tried again before the next write.
    sweeping.catch(() => swept.delete(folder));
    return sweeping;
  };
}

/**
 * Puts a file in the place of the one with its name: whoever reads it finds the whole of either. Its bytes are synced; its name MUST
 * survive a loss of power only once its folder is synced too.
 */
export async function replaceFile(file: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
