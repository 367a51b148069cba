import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerFailure, startFakeIpfsNode, type FakeIpfsNode } from './fake-ipfs-node.ts';
import { openTestLog, rememberWarnings, type TestLog } from './ipfs-fixture.ts';
import { createIpfsNode } from './ipfs-node.ts';
import { pinToNode, type PinToNodeDeps } from './pin-to-node.ts';

const keeper = 'node:test';
const dayMs = 86_400_000;
let log: TestLog;
let fake: FakeIpfsNode;
let nowMs: number;
let told: ReturnType<typeof rememberWarnings>;

beforeEach(async () => {
  log = await openTestLog();
  fake = await startFakeIpfsNode();
  nowMs = 1_000_000;
  told = rememberWarnings();
});
afterEach(async () => {
  await fake.close();
  await log.close();
});

async function run(changes: Partial<PinToNodeDeps> = {}): Promise<void> {
  const { signal } = new AbortController();
  const node = await createIpfsNode({ apiUrl: fake.url, timeoutMs: 10_000, signal });
  const { ledger, blocks } = log;
  const now = { nowMs: () => nowMs, random: () => 0 };
  await pinToNode({ keeper, ledger, blocks, node, recheckMs: dayMs, ...now, log: told, signal, ...changes });
}

async function cidsOfLog(): Promise<string[]> {
  const pins = await log.ledger.listDuePins({ keeper: 'nobody', nowMs: 0, limit: 100 });
  return pins.map(({ cid }) => cid);
}

const progress = async () => (await log.ledger.readPinProgress([keeper]))[0];
const puts = () => fake.asked.filter(({ command }) => command === 'block/put').length;

test('all blocks are pinned, oldest first, and once', async () => {
  await run();
  await log.addBlocks(35);
  await run();
  expect([...fake.pins.keys()]).toEqual(await cidsOfLog());
  expect([...fake.blocks.keys()]).toEqual(await cidsOfLog());
  expect(await progress()).toMatchObject({ waiting: 0, pinnedSize: 35 });
  await log.addBlocks(1);
  await run();
  expect(puts()).toBe(36);
  expect(told.warnings).toEqual([]);
});

test('an outage leaves a backlog, which outlives a restart and is drained afterwards', async () => {
  await log.addBlocks(2);
  await run();
  const port = Number(new URL(fake.url).port);
  await fake.close();
  await log.addBlocks(5);
  await expect(run()).rejects.toMatchObject({ code: 'ipfs_unavailable' });
  expect(await progress()).toMatchObject({ waiting: 5, pinnedSize: 2 });
  await log.restart();
  await expect(run()).rejects.toMatchObject({ code: 'ipfs_unavailable' });
  await log.addBlocks(1);
  expect(await progress()).toMatchObject({ waiting: 6, pinnedSize: 2 });
  const { blocks, pins } = fake;
  fake = Object.assign(await startFakeIpfsNode(port), { blocks, pins });
  nowMs += 60_000;
  await run();
  expect(new Set(fake.pins.keys())).toEqual(new Set(await cidsOfLog()));
  expect(await progress()).toMatchObject({ waiting: 0, pinnedSize: 8 });
});

test('a block that the node refuses waits longer and longer, and holds up no other', async () => {
  await log.addBlocks(4);
  const [, refused] = await cidsOfLog();
  fake.intercept = (command, response, cid) =>
    command === 'block/put' && cid === refused && answerFailure(response, 'not this one');
  await run();
  expect(await progress()).toMatchObject({ waiting: 1, pinnedSize: 1 });
  expect(fake.pins.size).toBe(3);
  const tries: number[] = [];
  for (let second = 5; second <= 200; second += 5) {
    nowMs += 5_000;
    const before = puts();
    await run().catch(() => undefined);
    if (puts() > before) tries.push(second);
  }
  expect(tries).toEqual([5, 15, 35, 75, 135, 195]);
  expect(told.warnings).toHaveLength(1);
  fake.intercept = () => false;
  nowMs += 60_000;
  await run();
  expect(await progress()).toMatchObject({ waiting: 0, pinnedSize: 4 });
});

test('what the node has lost is found within the time, and pinned again', async () => {
  await log.addBlocks(3);
  await run();
  const [first = '', second = ''] = await cidsOfLog();
  fake.pins.delete(first);
  fake.blocks.delete(second);
  nowMs += dayMs - 1;
  await run();
  expect(fake.pins.has(first)).toBe(false);
  nowMs += 1;
  await run();
  expect([fake.pins.size, fake.blocks.size]).toEqual([3, 3]);
  expect(told.warnings).toHaveLength(2);
});

test('a node that is away when it is looked after has not lost anything', async () => {
  await log.addBlocks(1);
  await run();
  nowMs += dayMs;
  fake.intercept = (_, response) => answerFailure(response, 'starting');
  await expect(run()).rejects.toMatchObject({ code: 'ipfs_unavailable' });
  expect(await progress()).toMatchObject({ waiting: 0, pinnedSize: 1 });
  fake.intercept = () => false;
  nowMs += 60_000;
  await run();
  expect(puts()).toBe(1);
});

test('a crash between pin and record pins again, which changes nothing', async () => {
  await log.addBlocks(2);
  const recordPin = () => Promise.reject(new Error('crashed'));
  const { ledger } = log;
  const crashing = { listDuePins: ledger.listDuePins, recordPin };
  await expect(run({ ledger: crashing })).rejects.toThrow('crashed');
  expect([fake.pins.size, (await progress())?.waiting]).toEqual([1, 2]);
  await run();
  expect([fake.pins.size, (await progress())?.waiting]).toEqual([2, 0]);
});

test('a block that is missing at the relay itself is told, and the others are pinned', async () => {
  await log.addBlocks(3);
  const [first = ''] = await cidsOfLog();
  await rm(join(log.blocksFolder, first));
  await run();
  expect(await progress()).toMatchObject({ waiting: 1, pinnedSize: 0 });
  expect(fake.pins.size).toBe(2);
  expect(told.warnings).toEqual(['a block of the log is not pinned yet']);
});

test('nothing is begun, and nothing counts as failed, once the relay stops', async () => {
  await log.addBlocks(3);
  const stopping = new AbortController();
  const node = {
    keep: () => {
      stopping.abort();
      return Promise.resolve();
    },
    holds: () => Promise.resolve(false),
  };
  await run({ node, signal: stopping.signal });
  expect(await progress()).toMatchObject({ waiting: 2, pinnedSize: 1 });
});
