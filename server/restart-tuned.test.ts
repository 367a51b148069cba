import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

const module = new URL('restart-tuned.ts', import.meta.url).href;
const program = `
import { restartTuned } from ${JSON.stringify(module)};
restartTuned(process.env.DATA ?? '/');
const { pid, execArgv, argv, env } = process;
console.log(JSON.stringify({
  pid, execArgv, arguments: argv.slice(1), arenas: env.MALLOC_ARENA_MAX, cache: env.NODE_COMPILE_CACHE, kept: env.KEPT,
}));`;

/** Runs it in a process of its own. */
async function run(env: Record<string, string>, ...options: string[]) {
  const args = [...options, '--input-type=module', '--eval', program, 'first', '--second=2'];
  const { NODE_OPTIONS: _, MALLOC_ARENA_MAX: __, NODE_COMPILE_CACHE: ___, ...own } = process.env;
  const child = spawn(process.execPath, args, { env: { ...own, KEPT: 'yes', ...env } });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const said = JSON.parse(output) as { pid: number; execArgv: string[]; cache?: string };
  expect(said.pid).toBe(child.pid);
  return { ...said, v8: said.execArgv.filter((option) => /semi-space|growing/.test(option)) };
}

it('is the same process with other options', async () => {
  expect(await run({})).toMatchObject({
    v8: ['--max-semi-space-size=8', '--heap-growing-percent=40'],
    ...{ arguments: ['first', '--second=2'], arenas: '2', cache: '/cache/modules', kept: 'yes' },
  });
  expect((await run({ DATA: '/is/not/there' })).cache).toBe(undefined);
});

it('leaves what the operator has set', async () => {
  const set = { NODE_OPTIONS: '--max-semi-space-size=64', MALLOC_ARENA_MAX: '5', NODE_COMPILE_CACHE: '' };
  expect(await run(set, '--heap-growing-percent=70')).toMatchObject({
    v8: ['--heap-growing-percent=70'],
    ...{ arenas: '5', cache: '' },
  });
  expect(await run({ NODE_OPTIONS: '--max-semi-space-size=64', MALLOC_ARENA_MAX: '5' })).toMatchObject({
    v8: ['--heap-growing-percent=40'],
    arenas: '5',
  });
});
