import { expect, test, vi } from 'vitest';
import { zeroAddress } from '../../protocol/bytes/hex.ts';
import { GroupWorker, maxGroupSize, maxQueuedReserves } from './group-worker.ts';
import { someReserve, testKey, testScope } from './ledger-fixtures.ts';

const data = { file: 'unused', receiptScopes: [testScope], receiptKey: testKey, commitDelayMs: 0 };

/** A thread that answers as `body` says, in the place of the writer: to see what the main side does about it. */
async function workerWith(body: string) {
  const onFatal = vi.fn();
  const script = `import { parentPort as port } from 'node:worker_threads'; port.postMessage({ type: 'ready' }); ${body}`;
  const worker = new GroupWorker(data, onFatal, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
  await worker.ready();
  return { worker, onFatal };
}

const echoSizes = `port.on('message', (calls) => {
  if (calls === 'close') return port.close();
  port.postMessage({ type: 'done', outcomes: calls.map(() => ({ ok: true, value: calls.length })) });
});`;

test.each([
  ['exits', `port.on('message', () => process.exit(3))`, 'ended with code 3'],
  ['throws', `port.on('message', () => { throw new Error('broken') })`, 'broken'],
  ['ends without a word', `port.on('message', () => process.exit(0))`, 'ended with code 0'],
])('if the thread %s, all that waits fails, and the process is to exit', async (_what, body, reason) => {
  const { worker, onFatal } = await workerWith(body);
  const request = someReserve(null, 0n);
  // One more than fits in a group: the last one is still in the queue when the thread dies.
  const waiting = Array.from({ length: maxGroupSize + 1 }, () => worker.call('reserve', request));
  const results = await Promise.allSettled(waiting);
  const internal = expect.objectContaining({ code: 'internal_error' }) as unknown;
  expect(results).toEqual(waiting.map(() => ({ status: 'rejected', reason: internal })));
  await vi.waitFor(() => expect(onFatal).toHaveBeenCalledOnce());
  expect(String(onFatal.mock.calls[0]?.[0])).toContain(reason);
  await expect(worker.call('nextNonce', zeroAddress)).rejects.toThrow('The ledger is closed');
  await worker.close();
});

test('a thread that cannot start is an error of ready(), not fatal', async () => {
  const onFatal = vi.fn();
  const worker = new GroupWorker(data, onFatal, new URL('data:text/javascript,throw new Error("no start")'));
  await expect(worker.ready()).rejects.toThrow('no start');
  expect(onFatal).not.toHaveBeenCalled();
});

test('one turn is one group, of bounded size', async () => {
  const { worker } = await workerWith(echoSizes);
  const sizes = await Promise.all(
    Array.from({ length: maxGroupSize + 3 }, () => worker.call('nextNonce', zeroAddress)),
  );
  expect(sizes.slice(0, maxGroupSize).every((size) => size === maxGroupSize)).toBe(true);
  expect(sizes.slice(maxGroupSize)).toEqual([3, 3, 3]);
  await worker.close();
});

test('what is posted while a group is under way is the next group', async () => {
  const { worker } = await workerWith(
    echoSizes.replace(
      `port.postMessage({ type: 'done'`,
      `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);$&`,
    ),
  );
  const first = worker.call('nextNonce', zeroAddress);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = worker.call('nextNonce', zeroAddress);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const third = worker.call('nextNonce', zeroAddress);
  expect(await Promise.all([first, second, third])).toEqual([1, 2, 2]);
  await worker.close();
});

test('reservations beyond the bound are refused; a charge still goes in', async () => {
  const { worker } = await workerWith(echoSizes);
  const request = someReserve(null, 0n);
  const waiting = Array.from({ length: maxQueuedReserves }, () => worker.call('reserve', request));
  await expect(worker.call('reserve', request)).rejects.toMatchObject({ code: 'overloaded' });
  await worker.call('nextNonce', zeroAddress);
  await Promise.all(waiting);
  await worker.close();
});
