import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * Options of V8 (decision 0030): a young generation of three times 8 MB, where V8 would take 32; and a full collection when the old generation has grown
 * by a fifth, where V8 would let it double or more. Both can be set before the process has a heap only.
 */
const v8Options = { '--max-semi-space-size': '8', '--heap-growing-percent': '20' };

/**
 * Of glibc: it gives each thread an arena of its own, up to eight for each core; and keeps up to twice the largest block that was ever freed, instead of
 * the 128 KiB that it begins with.
 */
const malloc = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' };

/**
 * Replaces this process by the same one with the options that keep a relay's memory small: same process id, arguments, files and environment, so that
 * whoever started it sees no difference. MUST be called first: what was done until then is lost. Returns if the options are there, or where a process
 * cannot be replaced (Windows, Node's permission model, a parent with an IPC channel); then the relay runs as well, in more memory.
 *
 * What an operator has set, in NODE_OPTIONS or the environment, is left as it is.
 *
 * @param dataDir Node keeps the compiled modules in its `cache/modules`
 */
export function restartTuned(dataDir: string): void {
  // The channel of PM2, or of `node --watch`, would be cut.
  if (process.platform === 'win32' || process.execve === undefined || process.connected) return;
  // Node takes underscores for dashes.
  const given = [...process.execArgv, process.env['NODE_OPTIONS']].join(' ').replaceAll('_', '-');
  const options = Object.entries(v8Options)
    .filter(([name]) => !given.includes(name))
    .map(([name, value]) => `${name}=${value}`);
  if (options.length === 0) return;
  const modules = openModules(dataDir);
  const environment = { ...malloc, ...(modules !== undefined && { NODE_COMPILE_CACHE: modules }), ...process.env };
  const args = [process.execPath, ...options, ...process.execArgv, ...process.argv.slice(1)];
  try {
    process.execve(process.execPath, args, environment);
  } catch {
    // Node's permission model, without --allow-child-process.
  }
}

/** The folder of compiled modules; undefined if the data folder is not there, or others could put files there: what lies there is run. */
function openModules(dataDir: string): string | undefined {
  const folder = join(resolve(dataDir), 'cache', 'modules');
  try {
    if (!isOwn(dataDir)) return undefined;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return isOwn(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Whether this user alone writes it. @throws Error if it is not there */
function isOwn(folder: string): boolean {
  const { mode, uid } = statSync(folder);
  return uid === process.getuid?.() && (mode & 0o022) === 0;
}
