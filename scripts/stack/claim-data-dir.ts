import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { stackFilePath } from './stack-file.ts';

/** Marks a folder as a stack's own: only such a folder is ever emptied. */
const MARKER = 'stack.lock';
/** Stands in the marker when no process has the folder. */
const NOBODY = 0;

interface Marker {
  pid: number;
  ephemeral: boolean;
}

async function readMarker(dataDir: string): Promise<Marker | undefined> {
  const text = await readFile(join(dataDir, MARKER), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as Marker);
}

function isAlive(pid: number): boolean {
  if (pid === NOBODY) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and is another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * Takes a folder for a stack, creating it if need be. The data of an earlier stack whose chain lived in memory are
 * worth nothing and are deleted; a folder that no stack made is never touched.
 *
 * @throws AutoPayError `data_dir_locked` if a running stack has it; `invalid_configuration` if it holds other things,
 *   or the data of another kind of chain
 */
export async function claimDataDir(options: { dataDir: string; ephemeral: boolean }): Promise<void> {
  const { dataDir, ephemeral } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const marker = await readMarker(dataDir);
  const content = await readdir(dataDir);
  if (marker === undefined && content.length > 0) {
    throw new AutoPayError(
      'invalid_configuration',
      `${dataDir} is not empty and was not made by npm start, so it is left alone. Choose another --data-dir.`,
    );
  }
  if (marker !== undefined && marker.pid !== process.pid && isAlive(marker.pid)) {
    throw new AutoPayError(
      'data_dir_locked',
      `A stack runs on ${dataDir} (process ${marker.pid}). Stop it, or choose another --data-dir and --port.`,
    );
  }
  if (marker !== undefined && !marker.ephemeral && ephemeral) {
    throw new AutoPayError(
      'invalid_configuration',
      `${dataDir} belongs to a chain outside (--rpc-url). Give that --rpc-url again, or choose another --data-dir.`,
    );
  }
  if (marker?.ephemeral === true) {
    // The marker stays until the rest is gone: a deletion that is interrupted can be repeated.
    for (const name of content) if (name !== MARKER) await rm(join(dataDir, name), { recursive: true });
  }
  await writeFile(join(dataDir, MARKER), `${JSON.stringify({ pid: process.pid, ephemeral })}\n`, { mode: 0o600 });
}

/**
 * Lets go of a folder that was claimed. The stack file of a chain in memory goes: it would lead to a chain that is no
 * more. The other data stay to be looked at, until the next start.
 */
export async function releaseDataDir(options: { dataDir: string; ephemeral: boolean }): Promise<void> {
  const { dataDir, ephemeral } = options;
  if (ephemeral) await rm(stackFilePath(dataDir), { force: true });
  await writeFile(join(dataDir, MARKER), `${JSON.stringify({ pid: NOBODY, ephemeral })}\n`, { mode: 0o600 });
}
