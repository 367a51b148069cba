import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseVerifierKey } from '../../protocol/log/signed-note.ts';
import { formatAddCheckpoint } from '../../protocol/log/add-checkpoint.ts';
import { TestLog } from '../../witness/witness-fixture.ts';
import type { CommandContext } from '../command-context.ts';
import { runWitness, runWitnessKey } from './witness.ts';

let folder: string;
let printed: unknown[];
let context: CommandContext;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-witness-'));
  printed = [];
  context = {
    ...{ isJson: true, dataDir: folder, print: ({ json }: { json: unknown }) => void printed.push(json) },
    stack: () => Promise.reject(new Error('no stack')),
  };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('key makes a witness once, and prints what checks its cosignatures', async () => {
  await expect(runWitnessKey(context, { folder })).rejects.toMatchObject({ code: 'invalid_argument' });
  await runWitnessKey(context, { folder, name: 'witness.example/w1' });
  await runWitnessKey(context, { folder });
  const [first, second] = printed as { verifierKey: string }[];
  expect(parseVerifierKey(first?.verifierKey ?? '').name).toBe('witness.example/w1');
  expect(second).toEqual(first);
});

test('run answers the logs of witness.yaml until it is told to stop', async () => {
  const log = new TestLog().grow(3);
  await writeFile(join(folder, 'witness.yaml'), `port: 0\nlogs:\n  - key: ${log.signer.verifierKey}\n`);
  const listening = Promise.withResolvers<{ listening: string; logs: string[] }>();
  const print = ({ json }: { json: unknown }) => listening.resolve(json as { listening: string; logs: string[] });
  const running = runWitness({ ...context, print }, { folder, name: 'witness.example/w1' });
  const { listening: url, logs } = await listening.promise;
  expect(logs).toEqual([log.origin]);
  const body = formatAddCheckpoint({ oldSize: 0, proof: [], note: log.checkpoint() });
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
  expect([response.status, await response.text()]).toEqual([200, expect.stringMatching(/^— witness.example\/w1 /)]);
  process.emit('SIGTERM');
  await running;
  await expect(fetch(`${url}/add-checkpoint`)).rejects.toThrow();
});

test('run needs logs, and something that vouches for each', async () => {
  const witness = { folder, name: 'witness.example/w1' };
  await expect(runWitness(context, witness)).rejects.toMatchObject({ code: 'invalid_configuration' });
  // Without a key it is the stack's chain that would vouch, and there is none.
  await expect(runWitness(context, { ...witness, log: 'http://127.0.0.1:1/log' })).rejects.toThrow('no stack');
});
