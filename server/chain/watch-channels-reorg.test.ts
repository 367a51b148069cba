import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { computeChannelId } from '../../protocol/typed-data/channel-id.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import type { ChannelOnChain, Ledger } from '../ledger/ledger.ts';
import { openTestBooks, type TestBooks } from '../ledger/test-books.ts';
import type { ChainClient } from './create-chain-client.ts';
import { createChannelReader } from './create-channel-reader.ts';
import type { Finality } from './finality.ts';
import { createChannelWatcher, type ChannelWatcher } from './watch-channels.ts';

const escrow: Hex = `0x${'e1'.repeat(20)}`;
const token: Hex = `0x${'c1'.repeat(20)}`;
const payee: Hex = `0x${'a1'.repeat(20)}`;
const payer: Hex = `0x${'b1'.repeat(20)}`;
const identity = { payer, payee, token, salt: zeroBytes32, authorizedSigner: zeroAddress };
const channelId = computeChannelId({ ...identity, escrow, chainId: 1 });
const records = { settled: 0n, finalized: false };

/** A chain whose blocks can be replaced by others at any depth. One channel: what each block adds to its deposit. */
class ReorganisingChain {
  safe = 0;
  #blocks: { hash: Hex; added: bigint; requestsClose: boolean }[] = [];
  #made = 0;

  add(...blocks: { added?: bigint; requestsClose?: boolean }[]): this {
    for (const { added = 0n, requestsClose = false } of blocks) {
      this.#made += 1;
      this.#blocks.push({ hash: toHex(Buffer.alloc(32, this.#made)), added, requestsClose });
    }
    return this;
  }

  /** Other blocks take the place of the newest ones. */
  replace(count: number, ...blocks: { added?: bigint; requestsClose?: boolean }[]): void {
    this.#blocks = this.#blocks.slice(0, -count);
    this.add(...blocks);
  }

  client(): ChainClient {
    const answers = {
      getBlockNumber: () => BigInt(this.#blocks.length),
      getBlock: () => ({ number: BigInt(this.safe) }),
      readContract: ({ blockNumber }: { blockNumber: bigint }) => this.#recordAt(Number(blockNumber)),
      getContractEvents: (range: { fromBlock: bigint; toBlock: bigint }) => this.#eventsOf(range),
    };
    const asynchronous = Object.entries(answers).map(([name, answer]) => [
      name,
      async (argument: never) => Promise.resolve((answer as (argument: never) => unknown)(argument)),
    ]);
    return Object.fromEntries(asynchronous) as ChainClient;
  }

  #recordAt(block: number) {
    if (block > this.#blocks.length) throw new Error(`block ${block} is unknown`);
    const before = this.#blocks.slice(0, block);
    const deposit = before.reduce((sum, { added }) => sum + added, 0n);
    const closeRequestedAt = before.some(({ requestsClose }) => requestsClose) ? 1_800_000_000 : 0;
    return { ...identity, ...records, deposit, closeRequestedAt };
  }

  #eventsOf({ fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint }) {
    return this.#blocks.flatMap(({ hash, added, requestsClose }, at) => {
      if (at + 1 < fromBlock || at + 1 > toBlock || (added === 0n && !requestsClose)) return [];
      const isFirst = !this.#blocks.slice(0, at).some((block) => block.added > 0n);
      const eventName = requestsClose ? 'CloseRequested' : isFirst ? 'ChannelOpened' : 'ChannelToppedUp';
      return [
        { eventName, blockHash: hash, logIndex: 0, blockNumber: BigInt(at + 1), args: { ...identity, channelId } },
      ];
    });
  }
}

let books: TestBooks;
let chain: ReorganisingChain;
let told: object[];
let closing: Hex[];
beforeEach(() => {
  books = openTestBooks();
  chain = new ReorganisingChain();
  told = [];
  closing = [];
});
afterEach(() => books.close());

function watch(finality: Finality): ChannelWatcher {
  const run = async (name: 'getChannel', argument: Hex) => Promise.resolve(books.run(name, argument));
  const ledger = {
    getChannel: (id: Hex) => run('getChannel', id),
    upsertChannel: async (channel: ChannelOnChain) => Promise.resolve(books.run('upsertChannel', channel)),
    getState: async (key: string) => Promise.resolve(books.run('getState', key)),
    setState: async (key: string, value: string) => Promise.resolve(books.run('setState', { key, value })),
  } as Ledger & BackgroundLedger;
  const silent = () => undefined;
  const escrowOptions = {
    ...{ client: chain.client(), paymentChannels: escrow, payee, deployedAtBlock: 1, finality },
    ...{ reorgMarginBlocks: 50, maxBlocksPerQuery: 1_000 },
  };
  const findSalt = async () => Promise.resolve(zeroBytes32);
  return createChannelWatcher({
    ...{ ...escrowOptions, tokens: [token], ledger },
    reader: createChannelReader({ ...escrowOptions, chainId: 1, findSalt }),
    onCloseRequested: (id) => closing.push(id),
    log: { info: silent, warn: silent, error: (facts) => told.push(facts) },
  });
}

const recorded = () => books.run('getChannel', channelId);
const safe: Finality = { kind: 'tag', tag: 'safe' };

describe('a chain that reorganises', () => {
  it('below the final block: nothing was sold on what it takes back', async () => {
    const watcher = watch(safe);
    chain.add({}, { added: 100n }, {});
    await watcher.poll();
    expect(recorded()?.deposit).toBe(0n);
    chain.replace(2, {}, {}, {});
    await watcher.poll();
    expect(recorded()?.deposit).toBe(0n);
    // The transaction comes into another block, which becomes safe.
    chain.add({ added: 100n }, {});
    await watcher.poll();
    expect(recorded()?.deposit).toBe(0n);
    chain.safe = 5;
    await watcher.poll();
    expect(recorded()?.deposit).toBe(100n);
    expect(told).toEqual([]);
  });

  it('beyond it: the deposit shrinks at once, and the loss is told', async () => {
    const watcher = watch(safe);
    chain.add({ added: 100n }, { added: 50n }, {});
    chain.safe = 3;
    await watcher.poll();
    expect(recorded()?.deposit).toBe(150n);
    chain.replace(2, {}, {});
    await watcher.poll();
    expect(recorded()?.deposit).toBe(100n);
    chain.replace(3, {}, {}, {});
    await watcher.poll();
    expect(recorded()?.deposit).toBe(0n);
    const facts = { channelId, payer: identity.payer, atRisk: '0' };
    expect(told).toEqual([
      { ...facts, depositBefore: '150', deposit: '100' },
      { ...facts, depositBefore: '100', deposit: '0' },
    ]);
  });

  it('with a close that was undone: it is pending no more, and seen again when it comes again', async () => {
    const watcher = watch({ kind: 'blocks', count: 1 });
    chain.add({ added: 100n }, {}, { requestsClose: true });
    await watcher.poll();
    expect(closing).toEqual([channelId]);
    expect(recorded()?.closeRequestedAt).toBe(1_800_000_000);
    chain.replace(1, {});
    await watcher.poll();
    expect(recorded()).toMatchObject({ closeRequestedAt: 0, deposit: 100n });
    chain.add({ requestsClose: true });
    await watcher.poll();
    expect(closing).toEqual([channelId, channelId]);
  });

  it('while the relay was down: a restart sees what is left', async () => {
    chain.add({ added: 100n }, {}, {});
    chain.safe = 3;
    await watch(safe).poll();
    expect(recorded()?.deposit).toBe(100n);
    chain.replace(3, {}, { added: 100n }, {}, {});
    chain.safe = 1;
    await watch(safe).poll();
    expect(recorded()?.deposit).toBe(0n);
    expect(told).toHaveLength(1);
  });
});
