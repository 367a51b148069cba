import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Lock files that this process holds: its own pid in another one is left from a process that had the same pid. */
const held = new Set<string>();

/**
 * When a process started, in the kernel's clock ticks since boot (proc(5), `/proc/<pid>/stat` field 22), so that a pid that
 * was given to another process is not taken for the one that wrote the lock. Unknown where there is no /proc.
 */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isHeld(file: string, content: string): boolean {
  const [pidText, start] = content.split('\n');
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) return held.has(file);
  if (!isAlive(pid)) return false;
  const actualStart = startOf(pid);
  return start === undefined || start === '' || actualStart === undefined || actualStart === start;
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EEXIST';
}

/** Moves a dead process's lock away; moves it back if it turns out to be a living one's. */
function clearStale(file: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const content = readFileSync(aside, 'utf8');
  if (isHeld(file, content)) {
    linkSync(aside, file);
    rmSync(aside);
    throw locked(content);
  }
  rmSync(aside);
}

function locked(content: string): AutoPayError {
  return new AutoPayError(
    'data_dir_locked',
    `Another relay (pid ${content.split('\n')[0]}) uses this data folder. Stop it, or choose another --data-dir.`,
  );
}

/**
 * Takes the lock file for this process: its first line is the pid, its second the process's start time where the kernel
 * tells it. The lock of a dead process is taken over.
 * @returns gives the lock back.
 * @throws AutoPayError `data_dir_locked` if a living process holds it.
 */
export function lockDataFolder(file: string): () => void {
  const content = `${process.pid}\n${startOf(process.pid) ?? ''}\n`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(file, content, { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if (!isTaken(error)) throw error;
      const holder = readFileSync(file, 'utf8');
      if (attempt > 0 || isHeld(file, holder)) throw locked(holder);
      clearStale(file);
    }
  }
  held.add(file);
  return () => {
    held.delete(file);
    rmSync(file, { force: true });
  };
}
