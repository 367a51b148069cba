import { randomBytes } from 'node:crypto';
import { link, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, writeSynced } from './sync-to-disk.ts';

/**
 * Creates a file with `content`, readable by its owner only (0600). When it resolves, the file is on the disk and survives a power
 * cut; at no moment is it half written, and a file that exists is never touched.
 * @returns false if there is such a file already.
 */
export async function createFileDurably(file: string, content: string | Uint8Array): Promise<boolean> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeSynced(temporary, content);
    // Unlike rename, link refuses to replace what is there.
    await link(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(file));
  return true;
}
