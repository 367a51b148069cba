import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, writeSynced, type FileContent } from './sync-to-disk.ts';

/**
 * Replaces a file by `content`, readable by its owner only (0600). When it resolves, the new content is on the disk and
 * survives a power cut; at no moment is the file half written, or missing. If the content breaks off, the file stays as it was.
 */
export async function writeFileDurably(file: string, content: FileContent): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeSynced(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}
