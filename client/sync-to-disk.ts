import { open } from 'node:fs/promises';

/** What is written to a file: all of it, or piece by piece as it comes. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Writes a new file that only its owner may read (0600); when this resolves, its content is on the disk. One that is there stays (EEXIST). */
export async function writeSynced(file: string, content: FileContent): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A new name in a folder is durable only once the folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
