import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readListeningLine, spawnPart } from './spawn-part.ts';

const folder = mkdtempSync(join(tmpdir(), 'autopay-part-'));
afterAll(() => rmSync(folder, { recursive: true }));

const READY = `console.log(JSON.stringify({ listening: 'http://127.0.0.1:1' }));`;

function start(script: string, readyTimeoutMs = 15_000) {
  const place = { cwd: folder, logsDir: folder, readyTimeoutMs };
  return spawnPart({ ...place, name: 'part', args: ['-e', script], readReady: readListeningLine });
}

test('answers what the process said when it was ready, and stops it', async () => {
  const part = await start(`${READY} setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit(0));`);
  expect(part.ready).toBe('http://127.0.0.1:1');
  expect(part.isRunning()).toBe(true);
  let hasDied = false;
  void part.died.then(() => (hasDied = true));
  await part.stop();
  await part.stop();
  expect(part.isRunning()).toBe(false);
  expect(hasDied).toBe(false);
});

test('a process that ends by itself is reported with its last words', async () => {
  const part = await start(`${READY} setTimeout(() => { console.error('out of luck'); process.exit(7); }, 100);`);
  expect(await part.died).toMatch(/part ended \(exit code 7\).*\n[^]*out of luck/);
});

test('a process that ends before it is ready is an error with its last words', async () => {
  await expect(start(`console.error('no such file'); process.exit(3);`)).rejects.toThrow(/exit code 3[^]*no such file/);
});

test('a process that is not ready in time is killed', async () => {
  await expect(start('setInterval(() => {}, 1000);', 300)).rejects.toThrow('part was not ready after 0 s');
});
