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

test('what is posted while a group is under way goes at once: the writer has it when it is done', async () => {
  const { worker } = await workerWith(`let count = 0; port.on('message', (calls) => {
    if (calls === 'close') return port.close();
    count += calls.length;
    if (count < 3) return;
    port.postMessage({ type: 'done', outcomes: Array.from({ length: count }, () => ({ ok: true, value: count })) });
  });`);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const first = worker.call('nextNonce', zeroAddress);
  await turn();
  const second = worker.call('nextNonce', zeroAddress);
  await turn();
  const third = worker.call('nextNonce', zeroAddress);
  expect(await Promise.all([first, second, third])).toEqual([3, 3, 3]);
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

/** Decides every reservation at once, and tells how they went when another operation comes. */
const waitsForOthers = `let open = 0; port.on('message', (calls) => {
  if (calls === 'close') return port.close();
  const index = open;
  open += calls.length;
  if (calls[0].name === 'reserve') return port.postMessage({ type: 'decided', decisions: [{ index, decision: { ok: true, channel: null } }] });
  port.postMessage(FINAL);
  open = 0;
});`;

test('decisions of one transaction come group by group, and all of it is settled together', async () => {
  const { worker } = await workerWith(
    waitsForOthers.replace(
      'FINAL',
      `{ type: 'done', outcomes: Array.from({ length: open }, () => ({ ok: true, value: open })) }`,
    ),
  );
  const decided: string[] = [];
  const settled: string[] = [];
  const reserve = (name: string) =>
    new Promise<void>((resolve) => {
      const onDecided = () => {
        decided.push(name);
        resolve();
      };
      void worker.call('reserve', someReserve(null, 0n), { onDecided }).then(() => settled.push(name));
    });
  await reserve('first');
  await reserve('second');
  expect([decided, settled]).toEqual([['first', 'second'], []]);
  expect(await worker.call('nextNonce', zeroAddress)).toBe(3);
  expect(settled).toEqual(['first', 'second']);
  await worker.close();
});

test('if the transaction fails, all groups of it do', async () => {
  const error = `{ code: 'internal_error', message: 'disk full', facts: {}, detail: null }`;
  const { worker } = await workerWith(
    waitsForOthers.replace('FINAL', `{ type: 'failed', count: open, error: ${error} }`),
  );
  const { promise: isDecided, resolve: onDecided } = Promise.withResolvers<unknown>();
  const waiting = worker.call('reserve', someReserve(null, 0n), { onDecided });
  await isDecided;
  const other = worker.call('nextNonce', zeroAddress);
  await expect(Promise.all([waiting, other])).rejects.toThrow('disk full');
  await expect(other).rejects.toThrow('disk full');
  await worker.close();
});

test('a group that was posted before its predecessor was done is of the next transaction', async () => {
  const { worker } = await workerWith(`let count = 0; port.on('message', (calls) => {
    if (calls === 'close') return port.close();
    count += 1;
    const decided = () => port.postMessage({ type: 'decided', decisions: [{ index: 0, decision: { ok: true, channel: null } }] });
    const done = (value) => port.postMessage({ type: 'done', outcomes: [{ ok: true, value }] });
    if (count === 1) return decided();
    if (count === 2) { done('first'); decided(); }
    done(count);
  });`);
  const decided: string[] = [];
  const reserve = (name: string) =>
    worker.call('reserve', someReserve(null, 0n), { onDecided: () => decided.push(name) });
  const first = reserve('first');
  await vi.waitFor(() => expect(decided).toEqual(['first']));
  const second = reserve('second');
  expect(await Promise.all([first, second])).toEqual(['first', 2]);
  expect(decided).toEqual(['first', 'second']);
  expect(await worker.call('nextNonce', zeroAddress)).toBe(3);
  await worker.close();
});

test('what cannot be posted fails with its group, and nobody hears what becomes of another', async () => {
  const { worker } = await workerWith(`port.on('message', (calls) => {
    if (calls === 'close') return port.close();
    port.postMessage({ type: 'done', outcomes: calls.map(({ argument }) => ({ ok: true, value: argument })) });
  });`);
  const ask = (argument: unknown) => worker.call('getState', argument as string);
  const [unposted, neighbour] = await Promise.allSettled([ask(() => 'a function is not cloned'), ask('neighbour')]);
  for (const result of [unposted, neighbour])
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'internal_error' } });
  const waiting = Array.from({ length: maxGroupSize + 1 }, (_, index) => ask(`${index}`));
  expect(await Promise.all(waiting)).toEqual(waiting.map((_, index) => `${index}`));
  // A whole group, which is posted by the call that completes it, and a rest of one; then the ledger closes over the latter.
  const broken = Array.from({ length: maxGroupSize + 1 }, () => ask(() => undefined));
  const [settled] = await Promise.all([Promise.allSettled(broken), worker.close()]);
  expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
});
