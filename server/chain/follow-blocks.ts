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
  /** Blocks that are read again each time, because a reorganisation may have changed them; below `maxBlocksPerQuery`. */
  reorgMarginBlocks?: number;
  /** The most blocks that the endpoint takes in one log query. */
  maxBlocksPerQuery?: number;
  /** Takes in blocks `from` to `to`, both included; MUST be repeatable. Blocks above `settledTo` are given again. */
  readRange: (range: { from: number; to: number; settledTo: number }) => Promise<void>;
}

/** Reads a chain's blocks in order, from where an earlier process stopped. */
export interface BlockFollower {
  /**
   * Reads what is new, and the margin behind it once more. It MUST NOT run twice at the same time.
   * @returns the newest block, and the first one that no poll has read: far behind it, the endpoint has lost track.
   */
  poll(): Promise<{ newestBlock: number; nextBlock: number }>;
}

/** The most blocks that a reorganisation is expected to undo. */
export const defaultReorgMarginBlocks = 12;

/** Makes a follower of the part of the chain that `readRange` takes in. */
export function createBlockFollower(options: BlockFollowerOptions): BlockFollower {
  const { client, ledger, stateKey, deployedAtBlock, readRange } = options;
  const { reorgMarginBlocks = defaultReorgMarginBlocks, maxBlocksPerQuery = 10_000 } = options;
  let nextBlock = 0;

  return {
    async poll() {
      nextBlock ||= Number((await ledger.getState(stateKey)) ?? deployedAtBlock);
      const newestBlock = Number(await callChain('the newest block', () => client.getBlockNumber()));
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
  };
}
