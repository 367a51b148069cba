import type { Finality } from '../chain/finality.ts';
import type { ConfigFile } from './config-schema.ts';
import { parseDecimal } from './parse-decimal.ts';
import type { ConfigIssue } from './report-issues.ts';

/** What the file says of finality and of the relay's transactions, ready to use. */
export interface ResolvedChain {
  /** When deposits count. */
  finality: Finality;
  transactions: {
    /** Wei per gas. */
    maxFeePerGas: bigint;
    replaceAfterMs: number;
    maxUnmined: number;
  };
}

/** Wei are a billionth of a gwei. */
const gweiDecimals = 9;

/** The chain id of local development chains, which make a block when asked and have nothing to reorganise. */
const developmentChainId = 31_337;

/**
 * Gives the file's words for the chain their meaning. What is wrong is pushed to `issues`.
 *
 * A rollup's own word for a block is only its sequencer's promise. On an optimistic rollup a block is `safe` once its batch is on the
 * layer below, which alone can undo it then; on a zk rollup it is `finalized` once its proof was accepted there.
 */
export function resolveChain({ chain }: Pick<ConfigFile, 'chain'>, issues: ConfigIssue[]): ResolvedChain {
  const { maxFeePerGasGwei, replaceAfterSeconds, maxUnmined } = chain.transactions;
  const finality = resolveFinality(chain);
  const maxFeePerGas = parseDecimal(maxFeePerGasGwei, gweiDecimals);
  if (maxFeePerGas === undefined || maxFeePerGas === 0n) {
    issues.push({
      path: ['chain', 'transactions', 'maxFeePerGasGwei'],
      message: 'has to be above 0, with at most 9 decimals',
    });
  }
  if (finality.kind === 'blocks' && finality.count > chain.reorgMarginBlocks) {
    // Or a reorganisation of that depth would not be seen.
    issues.push({ path: ['chain', 'confirmations'], message: 'has to be at most chain.reorgMarginBlocks' });
  }
  return {
    finality,
    transactions: {
      maxFeePerGas: maxFeePerGas ?? 0n,
      replaceAfterMs: replaceAfterSeconds * 1_000,
      maxUnmined,
    },
  };
}

function resolveFinality({ id, strategy, confirmations }: ConfigFile['chain']): Finality {
  if (typeof confirmations === 'number') return { kind: 'blocks', count: confirmations };
  if (confirmations !== undefined) return { kind: 'tag', tag: confirmations };
  return finalityOfStrategy(strategy ?? (id === developmentChainId ? 'none' : 'optimistic_rollups'));
}

/** What a strategy waits for. */
export function finalityOfStrategy(strategy: 'none' | 'optimistic_rollups' | 'zk-rollup'): Finality {
  switch (strategy) {
    case 'none':
      return { kind: 'blocks', count: 0 };
    case 'optimistic_rollups':
      return { kind: 'tag', tag: 'safe' };
    case 'zk-rollup':
      return { kind: 'tag', tag: 'finalized' };
  }
}
