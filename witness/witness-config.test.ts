import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWitnessConfig } from './witness-config.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-witness-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(text: string, flags: Parameters<typeof readWitnessConfig>[1] = {}) {
  const file = join(folder, 'witness.yaml');
  await writeFile(file, text);
  return readWitnessConfig(file, flags);
}

const logs = 'logs: [{ url: "https://relay.example.com/log", rpcUrl: "https://rpc.example.com" }, { key: k }]';

test('a file has defaults, and flags come before it', async () => {
  expect(await read(logs)).toMatchObject({ host: '127.0.0.1', port: 4020, intervalSeconds: 60 });
  const flags = { port: 0, host: undefined, intervalSeconds: 5 };
  expect(await read(`${logs}\nport: 4021\nhost: "::1"`, flags)).toMatchObject({
    host: '::1',
    port: 0,
    intervalSeconds: 5,
  });
  const log = { url: 'http://127.0.0.1:4000/log', key: 'other' };
  expect((await read(logs, { log })).logs).toEqual([log]);
  expect((await readWitnessConfig(undefined, { log })).logs).toEqual([log]);
});

test.each([
  ['no logs', 'port: 1', /logs/],
  ['an empty list', 'logs: []', /logs/],
  ['a log that nothing vouches for', 'logs: [{ url: "https://relay.example.com/log" }]', /needs a key, or an rpcUrl/],
  ['a log without a place and a key', 'logs: [{ rpcUrl: "https://rpc.example.com" }]', /needs a url or a key/],
  ['a key that is not known', `${logs}\nports: 1`, /ports/],
  ['a URL that is none', 'logs: [{ url: "ftp://x", key: k }]', /logs.0.url/],
  ['no mapping', '- 1', /has to name the logs/],
  ['no YAML', 'a: [', /YAML/],
])('%s is refused', async (_what, text, message) => {
  const refused = read(text);
  await expect(refused).rejects.toMatchObject({ code: 'invalid_configuration' });
  await expect(refused).rejects.toThrow(message);
});
