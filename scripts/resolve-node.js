/**
 * Finds a Node 24, whatever Node runs this: the project's tools need it, a machine may only have an older one.
 * Plain JavaScript without dependencies, because it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIRED_MAJOR = '24';

/** Where the path that was found last is kept: outside node_modules, which each install empties. */
const cacheFile = join(dirname(fileURLToPath(import.meta.url)), '..', '.autopay', 'node24-path');

/**
 * Whether `path` is an executable Node 24.
 * @param {string} path
 * @returns {boolean}
 */
function isNode24(path) {
  const answer = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return answer.status === 0 && answer.stdout.startsWith(`v${REQUIRED_MAJOR}.`);
}

/** @returns {string | undefined} */
function readCachedPath() {
  try {
    const path = readFileSync(cacheFile, 'utf8').trim();
    return path !== '' && isNode24(path) ? path : undefined;
  } catch {
    return undefined; // Never resolved here, or the file is not readable: resolve it anew.
  }
}

/**
 * npm publishes Node's binary as the package `node`; npx keeps it in npm's cache.
 * @returns {string}
 */
function fetchNode24() {
  const answer = spawnSync('npx', ['-y', '-p', `node@${REQUIRED_MAJOR}`, '--', 'node', '-p', 'process.execPath'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32', // npx is a .cmd there
    timeout: 600_000,
  });
  const path = (answer.stdout ?? '').trim().split('\n').at(-1) ?? '';
  if (answer.status === 0 && path !== '' && isNode24(path)) return path;
  const cause = (answer.error?.message ?? answer.stderr ?? '').trim().split('\n').slice(0, 5).join('\n');
  throw new Error(
    `Node ${REQUIRED_MAJOR} is needed; this is ${process.version}, and npm could not fetch one (npx -p node@${REQUIRED_MAJOR}).\n` +
      `Check the network and npm's registry, or install Node ${REQUIRED_MAJOR}.${cause === '' ? '' : `\nnpm said: ${cause}`}`,
  );
}

/**
 * The path of a Node 24 executable: this one, else the one found last time, else one that npm fetches.
 * Callers spawn it directly, so that signals arrive and no shell or npx stands between.
 *
 * @param {{ log?: (line: string) => void }} [options] `log` is told before the slow way is taken
 * @returns {Promise<string>}
 * @throws {Error} with the remedy, if there is none and npm cannot fetch one
 */
export async function resolveNode24(options = {}) {
  if (process.versions.node.startsWith(`${REQUIRED_MAJOR}.`)) return process.execPath;
  const cached = readCachedPath();
  if (cached !== undefined) return cached;
  options.log?.(`this is Node ${process.versions.node}; fetching Node ${REQUIRED_MAJOR} with npm (once)`);
  const path = fetchNode24();
  mkdirSync(dirname(cacheFile), { recursive: true });
  writeFileSync(cacheFile, `${path}\n`);
  return path;
}
