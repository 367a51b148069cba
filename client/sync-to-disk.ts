import { open } from 'node:fs/promises';

/**
 * Writes a file that only its owner may read (0600); when this resolves, its content is on the disk.
 * @param flags `w` replaces what is there, `wx` refuses to (EEXIST)
 */
export async function writeSynced(file: string, content: string | Uint8Array, flags: 'w' | 'wx'): Promise<void> {
  const handle = await open(file, flags, 0o600);
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
