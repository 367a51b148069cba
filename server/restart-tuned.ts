import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * Options of V8 (decision 0030): a young generation of three times 8 MB, where V8 would take 32; and a full collection when the old generation has grown
 * by two fifths, where V8 would let it double or more. Both can be set before the process has a heap only.
 */
const v8Options = { '--max-semi-space-size': '8', '--heap-growing-percent': '40' };

/**
 * Of glibc: it gives each thread an arena of its own, up to eight for each core; and keeps up to twice the largest block that was ever freed, instead of
 * the 128 KiB that it begins with.
 */
const malloc = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' };

/**
 * Replaces this process by the same one with the options that keep a relay's memory small: same process id, arguments, files and environment, so that
 * whoever started it sees no difference. MUST be called first: what was done until then is lost. Returns if the options are there, or where a process
 * cannot be replaced (Windows); then the relay runs as well, in more memory.
 *
 * What an operator has set, in NODE_OPTIONS or the environment, is left as it is.
 *
 * @param dataDir Node keeps the compiled modules in its `cache/modules`: nobody else's folder, since what lies there is run
 */
export function restartTuned(dataDir: string): void {
  if (process.execve === undefined) return;
  const given = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')];
  const options = Object.entries(v8Options)
    .filter(([name]) => !given.some((option) => option.startsWith(name)))
    .map(([name, value]) => `${name}=${value}`);
  if (options.length === 0) return;
  const environment = {
    ...malloc,
    // Node would make a folder that is not there.
    ...(existsSync(dataDir) && { NODE_COMPILE_CACHE: join(resolve(dataDir), 'cache', 'modules') }),
    ...process.env,
  };
  process.execve(
    process.execPath,
    [process.execPath, ...options, ...process.execArgv, ...process.argv.slice(1)],
    environment,
  );
}
