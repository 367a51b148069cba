import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createReceiptKeyFinder } from '../../cli/find-receipt-key.ts';
import { openDeployment } from '../../client/chain/open-deployment.ts';
import { countCosignatures } from '../../protocol/log/cosignatures.ts';
import { originOf } from '../../protocol/log/checkpoint.ts';
import { createNoteVerifier } from '../../protocol/log/signed-note.ts';
import type { AnchoringResult } from '../../server/audit/run-anchoring.ts';
import type { CosigningState } from '../../server/audit/witnesses/cosign-checkpoints.ts';
import { findFreePort } from '../../scripts/stack/find-port.ts';
import { startWitness, type RunningWitness } from '../../witness/start-witness.ts';
import { openWitnessKey } from '../../witness/witness-key.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: string;
let stack: TestStack;
let ports: number[];
let keys: string[];
const running: RunningWitness[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-witnesses-'));
  ports = [await findFreePort(), await findFreePort()];
  keys = await Promise.all([0, 1].map(async (at) => (await keyOf(at)).verifierKey));
  const witnesses = keys.map((key, at) => ({ url: `http://127.0.0.1:${ports[at]}`, key }));
  stack = await startTestStack({
    config: { audit: { intervalSeconds: 600, maxMergeDelaySeconds: 1, witnesses, requiredCosignatures: 2 } },
  });
});
afterAll(async () => {
  await Promise.all(running.map((witness) => witness.close()));
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
});

const keyOf = (at: number) => openWitnessKey(join(folder, `w${at}`, 'witness.key'), { name: `witness.example/w${at}` });

/** A witness that knows the log by its own word, and by the chain. */
async function startOne(at: number): Promise<void> {
  const { stack: file } = stack;
  const deployment = await openDeployment(file.rpcUrl, file);
  running[at] = await startWitness({
    ...{ folder: join(folder, `w${at}`), cosigner: await keyOf(at), log: silent },
    config: {
      ...{ host: '127.0.0.1', port: ports[at] ?? 0, intervalSeconds: 3_600 },
      logs: [{ url: `${file.relayUrl}/log`, rpcUrl: file.rpcUrl }],
    },
    openChain: async () => createReceiptKeyFinder(deployment),
  });
}

async function call(): Promise<void> {
  const response = await fetch(`${stack.stack.relayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: chatBody({ model: 'sim-free' }),
  });
  expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('chat.completion')]);
}
const anchor = () => stack.runJob('anchor') as Promise<AnchoringResult>;
const witnessesOf = async () => {
  const health = (await (await fetch(`${stack.stack.relayUrl}/healthz`)).json()) as { witnesses: CosigningState };
  return health.witnesses;
};

it('anchors what two witnesses have cosigned, and waits while one of them is away; calls go on', async () => {
  await startOne(0);
  await call();
  expect(await anchor()).toMatchObject({ size: 0, waitingForWitnesses: 1 });
  await call();
  const waiting = await witnessesOf();
  expect(waiting).toMatchObject({ required: 2, cosignedSize: 0, waitingSinceMs: expect.any(Number) });
  expect(waiting.witnesses.map(({ error }) => error !== null)).toEqual([false, true]);

  await startOne(1);
  const { autoPayLLM } = stack.stack.contracts;
  expect(running[1]?.origins).toEqual([originOf({ chainId: stack.stack.chainId, autoPayLLM })]);
  expect(await anchor()).toMatchObject({ size: 2, transactionHash: expect.stringMatching(/^0x/) });
  const note = await (await fetch(`${stack.stack.relayUrl}/log/checkpoint`)).text();
  expect(
    countCosignatures(
      note,
      keys.map((key) => createNoteVerifier(key)),
    ),
  ).toBe(2);
  expect(await witnessesOf()).toMatchObject({ cosignedSize: 2, waitingSinceMs: null });

  await running[1]?.close();
  await call();
  expect(await anchor()).toMatchObject({ size: 2, nothingToDo: true, waitingForWitnesses: 1 });
  await startOne(1);
  // Without being asked, the relay tries again, from the size that the witness says it has.
  while ((await witnessesOf()).cosignedSize < 3) await sleep(100);
  expect(await anchor()).toMatchObject({ size: 3 });
}, 120_000);
