import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

const firstPauseMs = 2;
const longestPauseMs = 50;

/** Lock files that this process holds: a file with our own pid that is not among them is a dead namesake's. */
const heldHere = new Set<string>();

/**
 * Runs `action` while holding a lock file, so that no other process of this machine is in such a section at the same
 * time. The file holds the owner's pid; one whose owner is dead is taken over. Not reentrant.
 * @param options.waitMs how long to wait for another owner.
 * @throws AutoPayError `data_dir_locked` if the owner lives and keeps it for longer.
 */
export async function withLockFile<T>(options: { file: string; waitMs: number }, action: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + options.waitMs;
  let pauseMs = firstPauseMs;
  while (!(await tryCreate(options.file))) {
    const removed = await removeIfStale(options.file);
    if (removed) continue;
    if (Date.now() >= deadline) {
      throw new AutoPayError(
        'data_dir_locked',
        `Another process holds ${options.file}. Wait for it, stop it, or use another state folder.`,
      );
    }
    await delay(pauseMs);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
  heldHere.add(options.file);
  try {
    return await action();
  } finally {
    heldHere.delete(options.file);
    await rm(options.file, { force: true });
  }
}

async function tryCreate(file: string): Promise<boolean> {
  // Linked, not created and then written: a lock without its owner's pid could never be taken over.
  const prepared = `${file}.${randomUUID()}`;
  await writeFile(prepared, `${process.pid}\n`, { mode: 0o600 });
  try {
    await link(prepared, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(prepared, { force: true });
  }
}

async function removeIfStale(file: string): Promise<boolean> {
  const owner = await readOwner(file);
  if (owner === undefined || isAlive(owner, file)) return false;
  // Rename first and look again: between reading and removing, another process may have taken the lock over.
  const aside = `${file}.stale.${process.pid}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
  const movedOwner = await readOwner(aside);
  if (movedOwner !== undefined && movedOwner !== owner && isAlive(movedOwner, file)) {
    await rename(aside, file);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}

/** The pid in a lock file; undefined if the file is gone. */
async function readOwner(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return /^\d+\n$/.test(text) ? Number(text) : undefined;
}

function isAlive(pid: number, file: string): boolean {
  if (pid === process.pid) return heldHere.has(file);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
