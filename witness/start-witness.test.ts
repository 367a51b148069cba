import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { createRelayVerifier } from '../protocol/log/relay-signature.ts';
import { createNoteVerifier, openNote } from '../protocol/log/signed-note.ts';
import { startWitness, type RunningWitness } from './start-witness.ts';
import { relayScope, TestLog } from './witness-fixture.ts';
import { openWitnessKey } from './witness-key.ts';

let folder: string;
let log: TestLog;
let served: { url: string; close(): Promise<void> };
let running: RunningWitness | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-witness-'));
  log = new TestLog().grow(20);
  served = await log.serve();
});
afterEach(async () => {
  await running?.close();
  running = undefined;
  await served.close();
  await rm(folder, { recursive: true, force: true });
});

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const receiptVerifier = () =>
  createRelayVerifier({ name: log.origin, scope: relayScope, signer: addressOfPrivateKey(log.receiptKey) });

async function start(entry: { url?: string; key?: string; rpcUrl?: string }) {
  const config = { host: '127.0.0.1', port: 0, intervalSeconds: 1, logs: [entry] };
  const cosigner = await openWitnessKey(join(folder, 'witness.key'), { name: 'witness.example/w1' });
  const openChain = async () => async () => receiptVerifier();
  running = await startWitness({ folder, cosigner, config, openChain, log: silent });
  return running;
}

/** What the witness has cosigned, once it is of this size. */
async function cosigned({ url }: RunningWitness, size: number): Promise<string> {
  const place = `${url}/${createHash('sha256').update(log.origin).digest('hex')}/checkpoint`;
  for (;;) {
    const response = await fetch(place);
    const note = await response.text();
    if (response.status === 200 && note.split('\n')[1] === String(size)) return note;
    await sleep(50);
  }
}

test('follows a log whose key it asked for, as far as the chain vouches for it, and goes on after a restart', async () => {
  const first = await start({ url: served.url, rpcUrl: 'http://127.0.0.1:1' });
  expect(first.origins).toEqual([log.origin]);
  const note = await cosigned(first, 20);
  const keys = [log.signer.verifierKey, first.verifierKey].map((key) => createNoteVerifier(key));
  expect(openNote(note, [...keys, receiptVerifier()]).signatures).toHaveLength(3);
  await first.close();
  log.grow(5);
  const second = await start({ url: served.url, rpcUrl: 'http://127.0.0.1:1' });
  expect(second.verifierKey).toBe(first.verifierKey);
  await cosigned(second, 25);
});

test('a log without a key that can be read is refused at the start', async () => {
  await expect(start({ key: 'no key' })).rejects.toMatchObject({ code: 'invalid_configuration' });
  const { verifierKey } = await openWitnessKey(join(folder, 'witness.key'), { name: 'witness.example/w1' });
  await expect(start({ key: verifierKey })).rejects.toMatchObject({ code: 'invalid_configuration' });
  await served.close();
  await expect(start({ url: served.url, rpcUrl: 'http://127.0.0.1:1' })).rejects.toMatchObject({
    code: 'upstream_unreachable',
  });
  served = await log.serve();
});
