import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function run(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } });
  children.push(child);
  return child;
}

async function ready(child: ReturnType<typeof run>): Promise<string> {
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return (JSON.parse(line) as { listening: string }).listening;
}

test.each(['SIGTERM', 'SIGINT'] as const)('says where it listens, serves, and stops on %s', async (signal) => {
  const child = run(['--port', '0'], { SIMULATOR_API_KEY: 'k' });
  const url = await ready(child);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/v1/models`)).status).toBe(401);
  const hanging = fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer k' },
    body: JSON.stringify({ model: 'sim-a?fault=hang-headers', messages: [{ role: 'user', content: 'hi' }] }),
  }).catch((error: unknown) => error);
  await expect
    .poll(async () => ((await (await fetch(`${url}/sim/requests`)).json()) as { count: number }).count)
    .toBe(1);
  child.kill(signal);
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await hanging).toBeInstanceOf(Error);
});

async function failure(args: string[]): Promise<[code: unknown, stderr: string]> {
  const child = run(args);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return [code, stderr];
}

test('a taken port, and arguments that make no sense, are clear errors', async () => {
  const url = await ready(run([]));
  const [code, stderr] = await failure(['--port', new URL(url).port]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^simulator: .*EADDRINUSE.*Choose another --port/);
  expect(await failure(['--port', 'x'])).toEqual([1, "simulator: --port must be 0 to 65535, not 'x'.\n"]);
  expect(await failure(['--clock', 'moon'])).toEqual([1, "simulator: --clock must be hash or system, not 'moon'.\n"]);
  expect((await failure(['--nonsense']))[0]).toBe(1);
});
