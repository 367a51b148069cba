import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, writeSynced } from './sync-to-disk.ts';

/**
 * Replaces a file by `content`, readable by its owner only (0600). When it resolves, the new content is on the disk and
 * survives a power cut; at no moment is the file half written, or missing.
 */
export async function writeFileDurably(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeSynced(temporary, content, 'w');
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}
