import { open } from 'node:fs/promises';

/** Resolves once the names in a folder MUST survive a loss of power: a file that was renamed is durable only then. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
