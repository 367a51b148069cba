import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runJob } from '../../scripts/demo/run-job.ts';
import type { StackFile } from '../../scripts/stack.ts';
import { findFreePort, requireFreePort } from '../../scripts/stack/find-port.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

const keysPage = readFileSync(join(root, 'docs/KEYS.md'), 'utf8');

/** The code blocks of a language, in order. */
function blocks(language: string, text = readme): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));
let folder: string;
let start: ChildProcess;
let stack: StackFile;

/** Two free ports in a row. */
async function findPortPair(): Promise<number> {
  for (;;) {
    const port = await findFreePort();
    const isNextFree = await requireFreePort(port + 1, 'sidecar').then(
      () => true,
      () => false,
    );
    if (isNextFree) return port;
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-readme-'));
  const dataDir = join(folder, 'data');
  const port = await findPortPair();
  // What `npm start` runs once everything is installed and compiled.
  start = spawn(process.execPath, ['scripts/start.ts', '--port', String(port), '--data-dir', dataDir], {
    cwd: root,
    stdio: 'ignore',
  });
  const file = join(dataDir, 'stack.json');
  for (let waited = 0; !existsSync(file); waited += 1) {
    if (waited > 600 || start.exitCode !== null)
      throw new Error(`npm start did not get ready (exit ${start.exitCode})`);
    await sleep(200);
  }
  stack = JSON.parse(readFileSync(file, 'utf8')) as StackFile;
}, 150_000);

afterAll(async () => {
  const exited = once(start, 'exit');
  start.kill('SIGINT');
  expect(await exited).toEqual([0, null]);
  await rm(folder, { recursive: true, force: true });
});

/** Commands that ask before they sign; a test has no terminal to be asked at. */
const asking = /^npx --no autopay (gov (delegate|propose|vote|queue|execute)|dispute (open|uphold|expire|pay))\b/;

/** Runs a line of the README against this test's stack instead of the default one. */
async function runLine(line: string): Promise<string> {
  const leave = asking.test(line) ? ' --yes' : '';
  const here = line
    .replaceAll('127.0.0.1:4001', new URL(stack.sidecarUrl).host)
    .replace(/^npx --no autopay (.*)$/, `npx --no autopay $1 --data-dir ${stack.dataDir}${leave}`);
  const { stdout, stderr } = await run('sh', ['-c', here], { cwd: root });
  // What is about to be signed is told on stderr.
  return stdout + stderr;
}

describe('README', { timeout: 90_000 }, () => {
  it('names scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...readme.matchAll(/npm (?:run ([a-z:]+)|(start|test))/g)].map(
      (match) => match[1] ?? match[2] ?? '',
    );
    expect(named.length).toBeGreaterThan(3);
    for (const name of named) expect(scripts).toHaveProperty(name);
  });

  const expectations: [pattern: RegExp, output: RegExp][] = [
    [/^curl /, /\[simulated\]/],
    [/autopay call/, /\[simulated\].*receipt verified/s],
    [/channel status/, /deposit .*USDC/],
    [/audit verify/, /stands in the anchored log/],
    [/fsck/, /The books agree/],
    [/gov delegate/, /now has .* of votes/],
    [/gov propose/, /simulated from the timelock: succeeds/],
    [/gov status/, /autopay gov vote|voting begins/],
    [/budget status/, /sim-small/],
  ];
  it.each(commands.filter((line) => !line.startsWith('npm ')))('runs: %s', async (line) => {
    const expected = expectations.find(([pattern]) => pattern.test(line));
    if (!expected) throw new Error(`say in this test what "${line}" should print`);
    if (/audit verify/.test(line)) await runJob(stack, 'anchor');
    expect(await runLine(line)).toMatch(expected[1]);
  });

  it.each(blocks('js'))('runs the JavaScript', async (code) => {
    const stdout = await runJavaScript(
      code,
      code.includes('AUTOPAY_API_KEY') ? { AUTOPAY_API_KEY: await makeKey() } : {},
    );
    expect(stdout).toContain('[simulated]');
  });

  /** The key that docs/KEYS.md makes. */
  async function makeKey(): Promise<string> {
    const [code = ''] = blocks('js', keysPage);
    const walletKey = readFileSync(stack.wallet.keyFile, 'utf8').trim();
    const key = await runJavaScript(code, { WALLET_KEY: walletKey, RPC_URL: stack.rpcUrl });
    expect(key).toMatch(/^ap_sk_\S{43}\n$/);
    return key.trim();
  }

  async function runJavaScript(code: string, env: Record<string, string>): Promise<string> {
    const here = code
      .replaceAll('127.0.0.1:4001', new URL(stack.sidecarUrl).host)
      .replaceAll('127.0.0.1:4000', new URL(stack.relayUrl).host);
    const options = { cwd: root, env: { ...process.env, ...env } };
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', here], options);
    return stdout;
  }
});
