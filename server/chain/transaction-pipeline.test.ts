import { privateKeyToAccount } from 'viem/accounts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { openTestBooks, type TestBooks } from '../ledger/test-books.ts';
import { FakeNode } from './fake-node.ts';
import {
  createTransactionQueue,
  type TransactionQueue,
  type TransactionQueueOptions,
} from './send-queued-transactions.ts';

const account = privateKeyToAccount(`0x${'5'.repeat(64)}`);
const address = account.address.toLowerCase() as Hex;
const to: Hex = `0x${'cc'.repeat(20)}`;
const operations = [
  ...['enqueueTransaction', 'replaceTransaction', 'findTransaction', 'getTransaction', 'finishTransaction'],
  ...['listUnfinishedTransactions', 'nextNonce'],
] as const;

let books: TestBooks;
let node: FakeNode;
let stopping: AbortController;
let told: string[];
let miner: NodeJS.Timeout | undefined;

beforeEach(() => {
  books = openTestBooks();
  node = new FakeNode();
  stopping = new AbortController();
  told = [];
});
afterEach(async () => {
  clearInterval(miner);
  stopping.abort();
  await sleep(5);
  books.close();
});

/** The ledger's operations on books in this thread. `crash` throws where a process ends. */
function ledgerOf(crash: (operation: string, moment: 'before' | 'after') => void = () => undefined): BackgroundLedger {
  const entries = operations.map((name) => [
    name,
    async (argument: never) => {
      await Promise.resolve();
      crash(name, 'before');
      const result = books.run(name as 'getTransaction', argument);
      crash(name, 'after');
      return result;
    },
  ]);
  return Object.fromEntries(entries) as BackgroundLedger;
}

function queueWith(overrides: Partial<TransactionQueueOptions> = {}): TransactionQueue {
  const tell = (facts: object, message: string) => void told.push(`${message} ${JSON.stringify(facts)}`);
  return createTransactionQueue({
    ...{ client: node.client(), ledger: ledgerOf(), account, chainId: 1, signal: stopping.signal },
    log: { info: () => undefined, warn: tell, error: tell },
    ...{ pollingIntervalMs: 2, rebroadcastAfterMs: 20, replaceAfterMs: 60_000, fillGapAfterMs: 20 },
    ...{ receiptTimeoutMs: 20_000, replacedAfterBlocks: 4, maxFeePerGas: 100_000_000_000n },
    ...overrides,
  });
}

function request(name: string) {
  return { purpose: name, to, data: toHex(Buffer.from(name)) };
}

const names = (count: number) => Array.from({ length: count }, (_, at) => `job-${at}`);
const mineEvery = (ms: number, most?: number) => (miner = setInterval(() => node.mine(most), ms));

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen`);
    await sleep(2);
  }
}

/** Each job has one transaction, mined once, and no nonce was used by anything else. */
function expectEachOnce(jobs: readonly string[]): void {
  const transactions = jobs.map((job) => books.run('getTransaction', job));
  expect(transactions.map((transaction) => transaction?.status)).toEqual(jobs.map(() => 'succeeded'));
  const mined = node.mined;
  for (const transaction of transactions) {
    expect(transaction?.attempts.filter(({ hash }) => mined.includes(hash))).toHaveLength(1);
  }
  expect(mined).toHaveLength(jobs.length);
  expect(node.nextNonce).toBe(jobs.length);
  expect(books.run('listUnfinishedTransactions', address)).toEqual([]);
}

describe('what an earlier process signed', () => {
  it('is followed to its end by its purpose, and nothing else is signed', async () => {
    const dying = queueWith({ receiptTimeoutMs: 5 });
    await expect(dying.send(request('pay:1'))).rejects.toThrow(expect.objectContaining({ code: 'chain_unavailable' }));
    const queue = queueWith();
    const following = queue.follow('pay:1');
    mineEvery(5);
    const transactionHash = (await following)?.transactionHash;
    expect(node.mined).toEqual([transactionHash]);
    // Again, from its success; and what nobody signed.
    expect(await queueWith().follow('pay:1')).toMatchObject({ transactionHash });
    expect(await queue.follow('pay:2')).toBeUndefined();
    expectEachOnce(['pay:1']);
  });

  it('and came to nothing is not signed again', async () => {
    await expect(queueWith({ receiptTimeoutMs: 5 }).send(request('pay:1'))).rejects.toThrow();
    const id = books.run('getTransaction', 'pay:1')?.id ?? 0;
    books.run('finishTransaction', { id, status: 'reverted' });
    expect(await queueWith().follow('pay:1')).toBeUndefined();
    expect(books.run('nextNonce', address)).toBe(1);
  });
});

describe('many transactions at once', () => {
  it('a call that needs more gas than it may cost is refused, and takes no nonce', async () => {
    mineEvery(5);
    const refused = expect.objectContaining({ code: 'transaction_reverted' });
    await expect(queueWith().send({ ...request('dear'), maxGas: 49_999n })).rejects.toThrow(refused);
    await queueWith().send({ ...request('cheap'), maxGas: 50_000n });
    expect(books.run('getTransaction', 'dear')).toBeUndefined();
    expect(books.run('getTransaction', 'cheap')).toMatchObject({ nonce: 0 });
  });

  it('have consecutive nonces, no more of them unmined than allowed, and are looked after together', async () => {
    const queue = queueWith({ maxUnmined: 16 });
    const jobs = names(50);
    const sending = Promise.all(jobs.map((job) => queue.send(request(job))));
    await until('a full pipeline', () => node.pool.size === 16);
    await sleep(20);
    expect(node.pool.size).toBe(16);
    mineEvery(5);
    const receipts = await sending;
    expect(new Set(receipts.map(({ transactionHash }) => transactionHash)).size).toBe(50);
    expectEachOnce(jobs);
    // Receipts are asked for where there is one, not by each of 50 callers again and again.
    expect(node.requests.get('getTransactionReceipt')).toBeLessThan(60);
    expect(await queue.send(request('job-7'))).toMatchObject({ transactionHash: receipts[7]?.transactionHash });
    expect(node.nextNonce).toBe(50);
  });

  it('200 come through a node that drops, reorders, answers late, loses answers and lags: each once', async () => {
    let seed = 1;
    const chance = (of: number) => (seed = (seed * 48_271) % 2_147_483_647) % of === 0;
    node.onBroadcast = () => {
      if (chance(5)) return 'connection reset';
      return chance(6) ? 'nonce too high' : undefined;
    };
    node.losesAnswer = () => chance(7);
    const client = node.client();
    const slow: typeof client = Object.assign(Object.create(null), client, {
      sendRawTransaction: async (argument: Parameters<typeof client.sendRawTransaction>[0]) => {
        await sleep(seed % 5);
        return client.sendRawTransaction(argument);
      },
    });
    miner = setInterval(() => {
      if (chance(9)) node.forgetPool();
      node.lagBlocks = chance(3) ? 2 : 0;
      node.mine(7);
    }, 4);
    const jobs = names(200);
    const queue = queueWith({ client: slow });
    const send = async (job: string): Promise<void> => {
      // As every caller does: what is open is asked for again.
      await queue.send(request(job)).catch(() => send(job));
    };
    await Promise.all(jobs.map(send));
    expectEachOnce(jobs);
  }, 60_000);

  it('share the transaction of a purpose that is asked for twice', async () => {
    const queue = queueWith();
    const both = Promise.all([queue.send(request('twice')), queue.send(request('twice'))]);
    await until('the broadcast', () => node.pool.size === 1);
    node.mine();
    const [first, second] = await both;
    expect(first.transactionHash).toBe(second.transactionHash);
    expectEachOnce(['twice']);
  });

  it('of two queues on one ledger are serialised by it', async () => {
    mineEvery(5);
    const [one, other] = [queueWith(), queueWith()];
    const jobs = names(30);
    await Promise.all(jobs.map((job, at) => (at % 2 === 0 ? one : other).send(request(job))));
    expectEachOnce(jobs);
  });

  it('take no nonce where the chain refuses the call, and hold up no other', async () => {
    node.refuses = (data) => data === request('bad').data;
    mineEvery(5);
    const queue = queueWith();
    const [good, bad, after] = await Promise.allSettled(
      ['good', 'bad', 'after'].map((job) => queue.send(request(job))),
    );
    expect([good?.status, after?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(bad).toMatchObject({ status: 'rejected' });
    expect(books.run('getTransaction', 'bad')).toBeUndefined();
    expectEachOnce(['good', 'after']);
  });
});

describe('fees', () => {
  it('rise with the base fee; whichever signature is mined counts', async () => {
    const queue = queueWith();
    const sending = Promise.all([queue.send(request('a')), queue.send(request('b'))]);
    await until('the broadcasts', () => node.pool.size === 2);
    const before = [...node.pool.values()].map(({ hash }) => hash);
    node.baseFee *= 5n;
    expect(node.mine()).toBe(0);
    await until('the replacements', () => [...node.pool.values()].every(({ hash }) => !before.includes(hash)));
    expect(books.run('getTransaction', 'a')?.attempts.map(({ hash }) => hash)).toEqual([
      before[0],
      node.pool.get(0)?.hash,
    ]);
    // A block maker that never saw the replacement of the first one.
    node.mineHash(0, before[0] ?? '0x');
    node.mine();
    const [a, b] = await sending;
    expect(a.transactionHash).toBe(before[0]);
    expect(b.transactionHash).not.toBe(before[1]);
    expectEachOnce(['a', 'b']);
  });

  it('rise for the first in line alone, by an eighth, when it waits too long', async () => {
    const queue = queueWith({ replaceAfterMs: 60 });
    const sending = Promise.all(names(3).map((job) => queue.send(request(job))));
    await until('the broadcasts', () => node.pool.size === 3);
    const [first, second] = [node.pool.get(0), node.pool.get(1)];
    await until('a replacement', () => node.pool.get(0)?.hash !== first?.hash);
    expect((node.pool.get(0)?.maxFeePerGas ?? 0n) * 8n).toBeGreaterThanOrEqual((first?.maxFeePerGas ?? 0n) * 9n);
    expect(node.pool.get(1)?.hash).toBe(second?.hash);
    node.mine();
    await sending;
    expectEachOnce(names(3));
  });

  it('are paid up to a limit: above it nothing new is signed, and what is signed waits', async () => {
    const queue = queueWith({ maxFeePerGas: 3_000_000_000n, replaceAfterMs: 20 });
    const sending = queue.send(request('early'));
    await until('the broadcast', () => node.pool.size === 1);
    node.baseFee = 4_000_000_000n;
    await until('a word to the operator', () => told.some((line) => line.includes('waits for lower fees')));
    await sleep(1_100);
    await expect(queue.send(request('late'))).rejects.toMatchObject({ code: 'transaction_failed' });
    expect(books.run('getTransaction', 'late')).toBeUndefined();
    expect([...node.pool.values()].every(({ maxFeePerGas }) => maxFeePerGas <= 3_000_000_000n)).toBe(true);
    node.baseFee = 1_000_000_000n;
    mineEvery(5);
    await sending;
    expectEachOnce(['early']);
  });

  it('rise where the node finds them too low although its block does not', async () => {
    node.onBroadcast = () =>
      books.run('getTransaction', 'cheap')?.attempts.length === 1 ? 'transaction underpriced' : undefined;
    const queue = queueWith({ replaceAfterMs: 10 });
    mineEvery(5);
    await queue.send(request('cheap'));
    expect(books.run('getTransaction', 'cheap')?.attempts.length).toBeGreaterThan(1);
    expectEachOnce(['cheap']);
  });
});

describe('what a node loses', () => {
  it('is broadcast again, in the order of nonces', async () => {
    const queue = queueWith();
    const jobs = names(5);
    const sending = Promise.all(jobs.map((job) => queue.send(request(job))));
    await until('the broadcasts', () => node.pool.size === 5);
    node.forgetPool();
    await until('the broadcasts again', () => node.pool.size === 5);
    node.mine();
    await sending;
    expectEachOnce(jobs);
  });

  it('by a reorganisation is sent again, though nobody asks for it any more', async () => {
    mineEvery(5);
    const queue = queueWith();
    await queue.send(request('settled'));
    clearInterval(miner);
    node.reorganise(1_000);
    expect(node.nextNonce).toBe(0);
    await sleep(1_000);
    await queue.resume();
    await sleep(25);
    mineEvery(5);
    await sleep(1_000);
    await queue.resume();
    expectEachOnce(['settled']);
  });

  it('by a reorganisation, and came into another block as a revert, is noticed; a later process notices it too', async () => {
    for (const [at, isLater] of [false, true].entries()) {
      const job = `settled-${at}`;
      mineEvery(5);
      const queue = queueWith({ confirmedAfterBlocks: 3 });
      const { transactionHash } = await queue.send(request(job));
      clearInterval(miner);
      // All blocks after the job's are empty.
      while (node.nextNonce > at) node.reorganise(1);
      node.mineHash(at, transactionHash, 'reverted');
      const looking = isLater ? queueWith({ confirmedAfterBlocks: 3 }) : queue;
      await looking.resume();
      expect(books.run('getTransaction', job)?.status).toBe('succeeded');
      for (let block = 0; block < 4; block += 1) node.mine();
      await looking.resume();
      expect(books.run('getTransaction', job)?.status).toBe('reverted');
      expect(told.some((line) => line.includes('a reorganisation took back'))).toBe(true);
      told = [];
    }
  });

  it('and nobody has, is filled: a nonce that was another wallet’s before a reorganisation', async () => {
    node.useNonce();
    node.useNonce();
    const queue = queueWith();
    const sending = queue.send(request('behind'));
    await until('the broadcast', () => node.pool.has(2));
    node.reorganise(2);
    mineEvery(5);
    expect((await sending).status).toBe('success');
    expect(node.nextNonce).toBe(3);
    expect(books.run('getTransaction', `fill:${address}:1`)?.status).toBe('succeeded');
  });

  it('by a transaction of somebody else is given up once that is buried, and its job may be sent anew', async () => {
    const queue = queueWith();
    const sending = Promise.allSettled([queue.send(request('robbed')), queue.send(request('next'))]);
    await until('the broadcasts', () => node.pool.size === 2);
    node.useNonce();
    mineEvery(5);
    const [robbed, next] = await sending;
    expect(robbed).toMatchObject({ status: 'rejected', reason: { code: 'transaction_reverted' } });
    expect(next?.status).toBe('fulfilled');
    expect(told.some((line) => line.includes('use its key nowhere else'))).toBe(true);
    await queue.send(request('robbed'));
    expect(books.run('getTransaction', 'robbed')).toMatchObject({ nonce: 2, status: 'succeeded' });
  });
});

describe('a failure', () => {
  it('of the node for a moment is waited out; a longer one is told, and the jobs are taken up', async () => {
    const queue = queueWith({ pollingIntervalMs: 20 });
    const sending = queue.send(request('patient'));
    await until('the broadcast', () => node.pool.size === 1);
    node.isAway = true;
    await sleep(25);
    node.isAway = false;
    node.mine();
    await sending;

    const open = queue.send(request('open'));
    await until('the broadcast', () => node.pool.size === 1);
    node.isAway = true;
    await expect(open).rejects.toMatchObject({ code: 'chain_unavailable' });
    node.isAway = false;
    node.mine();
    await queue.resume();
    expectEachOnce(['patient', 'open']);
  });

  it('in its block is definitive, and a caller that gave up learns of it later', async () => {
    const queue = queueWith({ receiptTimeoutMs: 30 });
    await expect(queue.send(request('fails'))).rejects.toMatchObject({ code: 'chain_unavailable' });
    node.mine(1, 'reverted');
    await expect(queue.send(request('fails'))).rejects.toMatchObject({ code: 'transaction_reverted' });
    mineEvery(5);
    await expect(queue.send(request('fails'))).resolves.toMatchObject({ status: 'success' });
  });

  it('of the process at any step leaves nothing lost and nothing doubled', async () => {
    const jobs = names(4);
    const steps = ['enqueueTransaction', 'sendRawTransaction', 'replaceTransaction', 'finishTransaction', 'nextNonce'];
    const points = steps.flatMap((step) => [0, 1, 2].map((at) => ({ step, at })));
    const reached = new Set<string>();
    for (const { step, at } of points) {
      for (const moment of ['before', 'after'] as const) {
        books.close();
        books = openTestBooks();
        node = new FakeNode();
        let count = -1;
        let isDead = false;
        const crash = (operation: string, when: 'before' | 'after'): void => {
          if (isDead) throw new Error('dead');
          if (operation !== step) return;
          if (when === 'before') count += 1;
          if (when !== moment || count !== at) return;
          isDead = true;
          reached.add(`${when} ${operation}`);
          throw new Error(`crash ${when} ${operation}`);
        };
        const mortal = node.client();
        const client: typeof mortal = Object.assign(Object.create(null), mortal, {
          sendRawTransaction: async (argument: Parameters<typeof mortal.sendRawTransaction>[0]) => {
            crash('sendRawTransaction', 'before');
            const hash = await mortal.sendRawTransaction(argument);
            crash('sendRawTransaction', 'after');
            return hash;
          },
        });
        // The base fee rises in the middle, so that a replacement is among the steps.
        miner = setInterval(() => {
          if (node.nextNonce === 0 && node.pool.size >= 2) node.baseFee = 4_000_000_000n;
          node.mine(1);
        }, 3);
        const dying = new AbortController();
        const first = queueWith({ client, ledger: ledgerOf(crash), maxUnmined: 3, signal: dying.signal });
        await Promise.allSettled(jobs.map((job) => first.send(request(job))));
        dying.abort();
        const restarted = queueWith({ maxUnmined: 3 });
        await restarted.resume();
        await Promise.all(jobs.map((job) => restarted.send(request(job))));
        clearInterval(miner);
        expectEachOnce(jobs);
      }
    }
    expect([...reached].sort()).toEqual(steps.flatMap((step) => [`before ${step}`, `after ${step}`]).sort());
  }, 120_000);
});
