import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

/** What following a chain works with. */
export interface BlockFollowerOptions {
  client: ChainClient;
  ledger: Pick<BackgroundLedger, 'getState' | 'setState'>;
  /** Under this key the ledger keeps the next block to read. */
  stateKey: string;
  /** The first block that may hold anything. */
  deployedAtBlock: number;
  /**
   * Blocks that are read again each time: a reorganisation may have changed them, or the node that answered may not have had
   * them yet, although another one behind the same endpoint told of them. Below `maxBlocksPerQuery`.
   */
  reorgMarginBlocks: number;
  /** The most blocks that the endpoint takes in one log query. */
  maxBlocksPerQuery: number;
  /** Takes in blocks `from` to `to`, both included; MUST be repeatable. Blocks above `settledTo` are given again. */
  readRange: (range: { from: number; to: number; settledTo: number }) => Promise<void>;
}

/** Reads a chain's blocks in order, from where an earlier process stopped. */
export interface BlockFollower {
  /**
   * Reads what is new, and the margin behind it once more. It MUST NOT run twice at the same time.
   * @param head the newest block, if it was asked for already
   * @returns the newest block, and the first one that no poll has read: far behind it, the endpoint has lost track.
   */
  poll(head?: { number: bigint }): Promise<{ newestBlock: number; nextBlock: number }>;
  /** Makes the next poll read all blocks again. It MUST NOT run during a poll. */
  rewind(): Promise<void>;
}

/** Makes a follower of the part of the chain that `readRange` takes in. */
export function createBlockFollower(options: BlockFollowerOptions): BlockFollower {
  const { client, ledger, stateKey, deployedAtBlock, readRange } = options;
  const { reorgMarginBlocks, maxBlocksPerQuery } = options;
  let nextBlock = 0;

  return {
    async poll(head) {
      nextBlock ||= Number((await ledger.getState(stateKey)) ?? deployedAtBlock);
      const newest = head?.number ?? (await callChain('the newest block', () => client.getBlockNumber()));
      const newestBlock = Number(newest);
      const first = Math.max(deployedAtBlock, Math.min(nextBlock, newestBlock + 1) - reorgMarginBlocks);
      for (let from = first; from <= newestBlock; from += maxBlocksPerQuery) {
        const to = Math.min(newestBlock, from + maxBlocksPerQuery - 1);
        await readRange({ from, to, settledTo: to - reorgMarginBlocks });
        if (to < nextBlock) continue;
        nextBlock = to + 1;
        await ledger.setState(stateKey, String(nextBlock));
      }
      return { newestBlock, nextBlock };
    },
    async rewind() {
      await ledger.setState(stateKey, String(deployedAtBlock));
      nextBlock = deployedAtBlock;
    },
  };
}
