import { beforeEach, describe, expect, it } from 'vitest';
import type { ChainClient } from './create-chain-client.ts';
import { createBlockFollower, type BlockFollower } from './follow-blocks.ts';

/** The newest block of a chain that is nothing but its length. */
let newest: number;
let state: Map<string, string>;
let read: { from: number; to: number; settledTo: number }[];
let fault: Error | undefined;

beforeEach(() => {
  newest = 120;
  state = new Map();
  read = [];
  fault = undefined;
});

function follow(): BlockFollower {
  return createBlockFollower({
    client: { getBlockNumber: async () => BigInt(newest) } as unknown as ChainClient,
    ledger: {
      getState: async (key) => state.get(key),
      setState: async (key, value) => void state.set(key, value),
    },
    stateKey: 'next',
    deployedAtBlock: 100,
    reorgMarginBlocks: 3,
    maxBlocksPerQuery: 10,
    async readRange(range) {
      if (fault !== undefined) throw fault;
      read.push(range);
    },
  });
}

describe('a block follower', () => {
  it('reads all from the first block on, in ranges that the endpoint takes', async () => {
    expect(await follow().poll()).toEqual({ newestBlock: 120, nextBlock: 121 });
    expect(read).toEqual([
      { from: 100, to: 109, settledTo: 106 },
      { from: 110, to: 119, settledTo: 116 },
      { from: 120, to: 120, settledTo: 117 },
    ]);
    expect(state.get('next')).toBe('121');
  });

  it('reads what is new, and the margin once more; a new process does the same', async () => {
    const follower = follow();
    await follower.poll();
    read = [];
    await follower.poll();
    newest = 122;
    await follower.poll();
    newest = 123;
    await follow().poll();
    expect(read.map(({ from, to }) => [from, to])).toEqual([
      [118, 120],
      [118, 122],
      [120, 123],
    ]);
  });

  it('does not count as read what could not be taken in', async () => {
    const follower = follow();
    newest = 105;
    await follower.poll();
    newest = 109;
    fault = new Error('the ledger is busy');
    await expect(follower.poll()).rejects.toThrow(fault);
    expect(state.get('next')).toBe('106');
    fault = undefined;
    read = [];
    await follower.poll();
    expect(read).toEqual([{ from: 103, to: 109, settledTo: 106 }]);
  });

  it('takes the newest block that it is given, and asks for none', async () => {
    expect(await follow().poll({ number: 104n })).toEqual({ newestBlock: 104, nextBlock: 105 });
    expect(read).toEqual([{ from: 100, to: 104, settledTo: 101 }]);
  });

  it('begins anew when it is told to, and so does the next process', async () => {
    const follower = follow();
    await follower.poll();
    await follower.rewind();
    expect(state.get('next')).toBe('100');
    read = [];
    await follower.poll();
    expect(read[0]?.from).toBe(100);
    expect(state.get('next')).toBe('121');
  });

  it('keeps its place while the chain is shorter than it was, and says so', async () => {
    const follower = follow();
    await follower.poll();
    newest = 110;
    read = [];
    expect(await follower.poll()).toEqual({ newestBlock: 110, nextBlock: 121 });
    expect(read.map(({ from, to }) => [from, to])).toEqual([[108, 110]]);
    expect(state.get('next')).toBe('121');
  });
});
