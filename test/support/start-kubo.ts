import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort } from '../../scripts/stack/find-port.ts';

/** A Kubo node of a test's own, which talks to no other. */
export interface Kubo {
  /** Its RPC API. */
  apiUrl: string;
  /** Its gateway. */
  gatewayUrl: string;
  /** Starts the daemon, on the same ports each time; resolves when it is ready. */
  start(): Promise<void>;
  /** Ends the daemon as a crash does. */
  kill(): Promise<void>;
  /** Runs `ipfs …` on the node, with the daemon if it runs. */
  run(...args: string[]): Promise<Buffer>;
  /** Ends the daemon and removes the node. */
  remove(): Promise<void>;
}

const startTimeoutMs = 60_000;
const commandTimeoutMs = 60_000;

/**
 * Makes a node with a repository of its own; no daemon runs before `start`.
 * @param bin the `ipfs` program of Kubo
 */
export async function createKubo(bin: string): Promise<Kubo> {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-kubo-'));
  const env = { PATH: process.env['PATH'], HOME: folder, IPFS_PATH: join(folder, 'repo'), IPFS_TELEMETRY: 'off' };
  const [apiPort, gatewayPort] = [await findFreePort(), await findFreePort()];
  let daemon: ChildProcess | undefined;

  async function run(...args: string[]): Promise<Buffer> {
    const options = { env, encoding: 'buffer', maxBuffer: 64 * 2 ** 20, timeout: commandTimeoutMs } as const;
    return (await promisify(execFile)(bin, args, options)).stdout;
  }
  async function kill(): Promise<void> {
    const child = daemon;
    daemon = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    // What the daemon left locked, the next one finds unlocked: the lock is the process's.
    await rm(join(folder, 'repo', 'api'), { force: true });
  }

  // The profile has no bootstrap nodes, no discovery, and only loopback addresses.
  await run('init', '--profile=test');
  const set = (key: string, value: unknown) => run('config', '--json', key, JSON.stringify(value));
  await set('Addresses.API', `/ip4/127.0.0.1/tcp/${apiPort}`);
  await set('Addresses.Gateway', `/ip4/127.0.0.1/tcp/${gatewayPort}`);
  await set('Gateway.NoFetch', true);
  return {
    apiUrl: `http://127.0.0.1:${apiPort}`,
    gatewayUrl: `http://127.0.0.1:${gatewayPort}`,
    async start() {
      const child = spawn(bin, ['daemon', '--offline'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      daemon = child;
      await waitUntilReady(child);
    },
    kill,
    run,
    async remove() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function waitUntilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (why: string) => reject(new Error(`${why}: ${output.slice(-2_000)}`));
    const timeout = setTimeout(() => fail('the IPFS node did not get ready'), startTimeoutMs);
    const take = (chunk: Buffer) => {
      output += chunk.toString();
      if (!output.includes('Daemon is ready')) return;
      clearTimeout(timeout);
      resolve();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('error', reject);
    child.once('exit', () => fail('the IPFS node ended'));
  });
}
