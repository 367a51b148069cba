import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PinState } from '../ledger/pin-ledger.ts';
import { startFakePinningService, type FakePinningService } from './fake-pinning-service.ts';
import { openTestLog, rememberWarnings, type TestLog } from './ipfs-fixture.ts';
import { pinToService } from './pin-to-service.ts';
import { createPinningService, type PinningService } from './pinning-service.ts';

const keeper = 'service:test';
const hourMs = 3_600_000;
let log: TestLog;
let fake: FakePinningService;
let service: PinningService;
let nowMs: number;
let told: ReturnType<typeof rememberWarnings>;

beforeEach(async () => {
  log = await openTestLog();
  fake = await startFakePinningService();
  const { endpoint, token } = fake;
  service = createPinningService({ endpoint, token, origins: [], timeoutMs: 10_000 });
  nowMs = 1_000_000;
  told = rememberWarnings();
});
afterEach(async () => {
  await service.close();
  await fake.close();
  await log.close();
});

const run = () =>
  pinToService({ keeper, ledger: log.ledger, service, intervalMs: hourMs, nowMs: () => nowMs, log: told });
/** Lets time pass, and then runs. */
const runAfter = async (ms: number) => {
  nowMs += ms;
  await run();
};
const newestCid = async () => (await log.ledger.lastBlock())?.cid;
const pinsAtService = () => [...fake.pins.values()].map(({ cid, state }) => ({ cid, state }));
const setStates = (state: PinState) => fake.pins.forEach((pin) => (pin.state = state));
const pinsInBooks = async () => (await log.ledger.listPins(keeper)).map(({ size, state }) => ({ size, state }));

test('the newest block is pinned, and takes the place of the one before once it is', async () => {
  await run();
  expect(fake.asked).toEqual([]);
  await log.addBlocks(3);
  await run();
  const first = await newestCid();
  expect(pinsAtService()).toEqual([{ cid: first, state: 'queued' }]);
  setStates('pinning');
  await runAfter(15_000);
  expect(await pinsInBooks()).toEqual([{ size: 3, state: 'pinning' }]);
  setStates('pinned');
  await runAfter(15_000);
  expect(await pinsInBooks()).toEqual([{ size: 3, state: 'pinned' }]);
  await log.addBlocks(2);
  await runAfter(hourMs - 1);
  expect(fake.pins.size).toBe(1);
  await runAfter(1);
  const second = await newestCid();
  expect(pinsAtService()).toEqual([
    { cid: first, state: 'pinned' },
    { cid: second, state: 'queued' },
  ]);
  await log.addBlocks(1);
  setStates('pinned');
  await runAfter(15_000);
  expect(pinsAtService()).toEqual([{ cid: second, state: 'pinned' }]);
  expect(await pinsInBooks()).toEqual([{ size: 5, state: 'pinned' }]);
  expect(told.warnings).toEqual([]);
});

test('what cannot be pinned is asked for anew, less and less often, as what is newest then', async () => {
  await log.addBlocks(1);
  fake.state = 'failed';
  await run();
  expect(await pinsInBooks()).toEqual([{ size: 1, state: 'failed' }]);
  const posts = () => fake.asked.filter((asked) => asked === 'POST /pins').length;
  const tries: number[] = [];
  for (let minute = 1; minute <= 20; minute += 1) {
    const before = posts();
    await runAfter(60_000);
    if (posts() > before) tries.push(minute);
  }
  expect(tries).toEqual([1, 3, 7, 15]);
  expect(fake.pins.size).toBe(1);
  await log.addBlocks(1);
  fake.state = 'pinned';
  await runAfter(hourMs);
  expect(pinsAtService()).toEqual([{ cid: await newestCid(), state: 'pinned' }]);
  expect(await pinsInBooks()).toEqual([{ size: 2, state: 'pinned' }]);
});

test('a pin that the service forgot, before or after it was there, is asked for again', async () => {
  await log.addBlocks(1);
  await run();
  fake.pins.clear();
  await runAfter(15_000);
  expect(await pinsInBooks()).toEqual([{ size: 1, state: 'failed' }]);
  fake.state = 'pinned';
  await runAfter(60_000);
  expect(await pinsInBooks()).toEqual([{ size: 1, state: 'pinned' }]);
  await runAfter(hourMs);
  expect(told.warnings).toHaveLength(1);
  fake.pins.clear();
  await runAfter(hourMs);
  expect(told.warnings).toContain('a pinning service has lost the log; it is asked again');
  await runAfter(60_000);
  expect(pinsAtService()).toEqual([{ cid: await newestCid(), state: 'pinned' }]);
});

test('a crash after the request asks for no second pin, and one before the older pin is given up gives it up later', async () => {
  await log.addBlocks(1);
  fake.state = 'pinned';
  const { ledger } = log;
  const crash = () => Promise.reject(new Error('crashed'));
  const deps = { keeper, service, intervalMs: hourMs, nowMs: () => nowMs, log: told };
  await expect(pinToService({ ...deps, ledger: { ...ledger, recordPin: crash } })).rejects.toThrow('crashed');
  await run();
  expect([fake.pins.size, await pinsInBooks()]).toEqual([1, [{ size: 1, state: 'pinned' }]]);
  await log.addBlocks(1);
  nowMs += hourMs;
  await expect(pinToService({ ...deps, ledger: { ...ledger, removePin: crash } })).rejects.toThrow('crashed');
  expect(await pinsInBooks()).toHaveLength(2);
  await log.addBlocks(1);
  await runAfter(hourMs);
  expect([fake.pins.size, await pinsInBooks()]).toEqual([1, [{ size: 3, state: 'pinned' }]]);
});
