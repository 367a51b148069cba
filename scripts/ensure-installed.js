/**
 * Installs the dependencies and compiles the contracts when that is due.
 * Plain JavaScript without dependencies, because it runs before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** @typedef {{ node: string, root: string, log: (line: string) => void }} Place a Node 24, the project, where to tell */
/** @typedef {Record<string, { version?: string, optional?: boolean, devOptional?: boolean }>} LockedPackages */

/** How often a step that prints nothing says that it still runs. */
const HEARTBEAT_MS = 15_000;

/** Loads what npm may have left out: EDR's package for this platform, and the two that carry native code. */
const NATIVE_PROBE = `
  const { createRequire } = await import('node:module');
  const require = createRequire(process.argv[1]);
  require('keccak')('keccak256');
  require('secp256k1').publicKeyCreate(Buffer.alloc(32, 1));
  createRequire(require.resolve('hardhat'))('@nomicfoundation/edr');
`;

/**
 * Runs a command under Node 24 and waits for it, telling now and then that it still runs. One that is expected to be
 * quick is mentioned only if it is not.
 *
 * @param {Place & { label: string, command: string, args: string[], isQuick?: boolean }} options
 * @returns {Promise<{ code: number, output: string }>}
 */
function runStep({ node, root, log, label, command, args, isQuick = false }) {
  const startedAt = Date.now();
  let isMentioned = !isQuick;
  if (isMentioned) log(label);
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  const beat = setInterval(() => {
    log(isMentioned ? `… ${seconds()} s` : `${label} … ${seconds()} s`);
    isMentioned = true;
  }, HEARTBEAT_MS);
  let output = '';
  /** @param {Buffer} chunk */
  const keep = (chunk) => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (isMentioned) log(`… ${code === 0 ? 'done' : 'failed'} after ${seconds()} s`);
      resolve({ code: code ?? 1, output });
    });
  }).finally(() => clearInterval(beat));
}

/**
 * npm, run by Node 24: under an older Node it would skip packages whose `engines` do not fit, EDR's among them.
 *
 * @param {Place} place
 * @param {string[]} args
 * @param {string} label
 */
function runNpm(place, args, label) {
  const cli = process.env.npm_execpath;
  // npm tells its own script where it is; called without npm, the one on PATH runs by the node on PATH, which is ours.
  const viaCli = cli !== undefined && /npm-cli\.c?js$/.test(cli) && existsSync(cli);
  return runStep({ ...place, label, command: viaCli ? place.node : 'npm', args: viaCli ? [cli, ...args] : args });
}

/**
 * @param {string} file
 * @returns {LockedPackages | undefined}
 */
function readLockedPackages(file) {
  if (!existsSync(file)) return undefined;
  const lock = /** @type {{ packages: LockedPackages }} */ (JSON.parse(readFileSync(file, 'utf8')));
  return lock.packages;
}

/**
 * Whether node_modules holds what package-lock.json says. npm records in node_modules what it installed.
 *
 * @param {string} root
 * @returns {boolean}
 */
function isInstalled(root) {
  const installed = readLockedPackages(join(root, 'node_modules', '.package-lock.json'));
  const locked = readLockedPackages(join(root, 'package-lock.json'));
  if (locked === undefined) throw new Error('package-lock.json is missing; check the clone out again.');
  if (installed === undefined) return false;
  return Object.entries(locked).every(
    ([path, entry]) =>
      path === '' ||
      installed[path]?.version === entry.version ||
      // Packages of other platforms are locked, and not installed.
      (installed[path] === undefined && (entry.optional === true || entry.devOptional === true)),
  );
}

/**
 * Whether the native packages load; what npm records is no proof of it.
 *
 * @param {Place} place
 * @returns {string | undefined} why not
 */
function probeNative({ node, root }) {
  const stamp = join(root, 'node_modules', '.autopay-native');
  const version = `${node} ${process.platform} ${process.arch}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === version) return undefined;
  const args = ['--input-type=module', '-e', NATIVE_PROBE, join(root, 'package.json')];
  const probe = spawnSync(node, args, { cwd: root, encoding: 'utf8', timeout: 60_000 });
  if (probe.status !== 0) return probe.stderr.trim().slice(0, 2_000) || 'the probe did not run';
  writeFileSync(stamp, version);
  return undefined;
}

/**
 * Installs the dependencies if node_modules is missing, differs from package-lock.json or does not load here.
 *
 * @param {Place} place
 * @returns {Promise<void>}
 * @throws {Error} with npm's own words if it fails
 */
export async function ensureDependencies(place) {
  if (isInstalled(place.root) && probeNative(place) === undefined) return;
  rmSync(join(place.root, 'node_modules', '.autopay-native'), { force: true });
  let result = await runNpm(place, ['ci'], 'installing dependencies (npm ci)');
  if (result.code !== 0 && result.output.includes('EUSAGE')) {
    place.log(
      'package-lock.json is not complete (node scripts/complete-lockfile.ts mends it); npm install takes longer',
    );
    result = await runNpm(place, ['install', '--no-save'], 'installing dependencies (npm install)');
  }
  if (result.code !== 0) {
    throw new Error(`npm could not install the dependencies; check the network and try again.\n${result.output}`);
  }
  const problem = probeNative(place);
  if (problem !== undefined) throw new Error(`The native packages do not load on this machine:\n${problem}`);
}

/**
 * Compiles the contracts if they changed (Hardhat knows by its own cache).
 *
 * @param {Place} place
 * @returns {Promise<void>}
 * @throws {Error} with the compiler's words if it fails
 */
export async function ensureContracts({ node, root, log }) {
  const cli = join(root, 'node_modules', 'hardhat', 'dist', 'src', 'cli.js');
  const isQuick = existsSync(join(root, 'artifacts', 'contracts'));
  const label = `compiling contracts${isQuick ? '' : ' (about a minute, once)'}`;
  const args = [cli, 'build', '--no-tests', '--quiet'];
  const result = await runStep({ node, root, log, label, command: node, args, isQuick });
  if (result.code !== 0) throw new Error(`The contracts do not compile:\n${result.output}`);
}
