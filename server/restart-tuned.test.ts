import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';

const module = new URL('restart-tuned.ts', import.meta.url).href;
const program = `
import { restartTuned } from ${JSON.stringify(module)};
restartTuned(process.env.DATA);
const { pid, execArgv, argv, env } = process;
console.log(JSON.stringify({
  pid, execArgv, arguments: argv.slice(1), arenas: env.MALLOC_ARENA_MAX, cache: env.NODE_COMPILE_CACHE, kept: env.KEPT,
}));`;

let dataDir = '';
beforeAll(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'autopay-restart-'));
});
afterAll(() => rmSync(dataDir, { recursive: true }));

interface Start {
  env?: Record<string, string>;
  /** Of Node. */
  options?: readonly string[];
  /** Whether its parent has a channel to it. */
  hasChannel?: boolean;
}

/** Runs it in a process of its own. */
async function run({ env, options = [], hasChannel = false }: Start = {}) {
  const args = [...options, '--input-type=module', '--eval', program, 'first', '--second=2'];
  const { NODE_OPTIONS: _, MALLOC_ARENA_MAX: __, NODE_COMPILE_CACHE: ___, ...own } = process.env;
  const child = spawn(process.execPath, args, {
    env: { ...own, KEPT: 'yes', DATA: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe', hasChannel ? 'ipc' : 'ignore'],
  });
  if (!child.stdout || !child.stderr) throw new Error('It has no pipes.');
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const said = JSON.parse(output) as { pid: number; execArgv: string[]; cache?: string };
  expect(said.pid).toBe(child.pid);
  return { ...said, v8: said.execArgv.filter((option) => /semi.space|growing/.test(option)) };
}

it('is the same process with other options', async () => {
  const cache = join(dataDir, 'cache', 'modules');
  expect(await run()).toMatchObject({
    v8: ['--max-semi-space-size=8', '--heap-growing-percent=20'],
    ...{ arguments: ['first', '--second=2'], arenas: '2', cache, kept: 'yes' },
  });
});

it('keeps modules where nobody else can write, and makes no data folder', async () => {
  const none = join(dataDir, 'none');
  expect((await run({ env: { DATA: none } })).cache).toBe(undefined);
  expect(existsSync(none)).toBe(false);
  const modules = join(dataDir, 'cache', 'modules');
  mkdirSync(modules, { recursive: true });
  for (const folder of [dataDir, modules]) {
    chmodSync(folder, 0o770);
    const { cache, v8 } = await run();
    chmodSync(folder, 0o700);
    expect([cache, v8.length]).toEqual([undefined, 2]);
  }
});

it('leaves what the operator has set', async () => {
  const set = { NODE_OPTIONS: '--max-semi-space-size=64', MALLOC_ARENA_MAX: '5', NODE_COMPILE_CACHE: '' };
  expect(await run({ env: set, options: ['--heap_growing_percent=70'] })).toMatchObject({
    v8: ['--heap_growing_percent=70'],
    ...{ arenas: '5', cache: '' },
  });
  expect(await run({ env: { NODE_OPTIONS: '--max_semi_space_size=64', MALLOC_ARENA_MAX: '5' } })).toMatchObject({
    v8: ['--heap-growing-percent=20'],
    arenas: '5',
  });
});

const isWindows = "data:text/javascript,Object.defineProperty(process,'platform',{value:'win32'})";

it.each<[string, Start]>([
  ['on Windows', { options: ['--import', isWindows] }],
  ['for a parent with a channel', { hasChannel: true }],
  [
    'where Node forbids it',
    { options: ['--permission', '--allow-fs-read=*', '--disable-warning=ExperimentalWarning'] },
  ],
])('runs as it is %s', async (_, start) => {
  expect(await run(start)).toMatchObject({ v8: [], arguments: ['first', '--second=2'] });
});
