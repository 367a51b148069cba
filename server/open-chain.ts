import type { Hex } from '../protocol/bytes/hex.ts';
import type { BlockStore } from './audit/block-store.ts';
import { checkAnchored } from './audit/check-anchored.ts';
import type { LogTree } from './audit/log-tree.ts';
import type { AnchoringDeps } from './audit/run-anchoring.ts';
import { createBackground, type Background } from './background.ts';
import type { Clock, ModelBudgets } from './call/types.ts';
import { createChainClient } from './chain/create-chain-client.ts';
import { checkDeployment } from './check-deployment.ts';
import type { RelayKeys } from './config/read-keys.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { createPayments, type Payments } from './create-payments.ts';
import { createPrices, type Prices } from './create-prices.ts';
import type { ChainLedger } from './ledger/open-ledger.ts';
import type { Log } from './log.ts';
import { prepareX402, type X402Setup } from './payments/x402/prepare-x402.ts';

/** Everything that a relay does on one chain. */
export interface RelayChain {
  chainId: number;
  /** The configuration as it is for this chain. */
  config: RelayConfig;
  /** The books on this chain. */
  ledger: ChainLedger;
  background: Background;
  prices: Prices;
  payments: Payments;
  x402: X402Setup;
  close(): Promise<void>;
}

/** What a chain is opened with. */
export interface OpenChainOptions {
  config: RelayConfig;
  ledger: ChainLedger;
  keys: RelayKeys;
  /** The relay's account. */
  relay: Hex;
  /** Of the one log. */
  blocks: BlockStore;
  tree: LogTree;
  /** See AnchoringDeps. */
  requirePinned?: AnchoringDeps['requirePinned'];
  /** See AnchoringDeps. */
  anchorableSize?: AnchoringDeps['anchorableSize'];
  /** What votes allow models to spend, told in the tokens of this chain; without, this is the home chain, whose votes they are. */
  budgets?: ModelBudgets;
  clock: Clock;
  log: Log;
  onFatal: (error: unknown) => void;
}

/**
 * Compares a chain with the configuration, reads what calls need to know of it, and wires the work there; nothing of that runs before
 * `background.start` and `prices.start`.
 *
 * @throws AutoPayError `invalid_configuration`, `chain_unavailable`, `price_table_unpublished`, `log_rolled_back`, `log_forked`; nothing
 * is left open then
 */
export async function openChain(options: OpenChainOptions): Promise<RelayChain> {
  const { blocks, budgets, clock, config, keys, ledger, log, onFatal, relay, requirePinned, tree, anchorableSize } =
    options;
  const { chain } = config;
  const client = createChainClient({ rpcUrl: chain.rpcUrl, chainId: chain.id });
  await checkDeployment({ client, config, relay });
  const { deployedAtBlock, maxBlocksPerQuery } = chain;
  const { auditLog } = config.contracts;
  await checkAnchored({ client, auditLog, deployedAtBlock, maxBlocksPerQuery, tree, ledger });
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closeOne of closers.toReversed()) await closeOne();
  };
  try {
    const x402 = await prepareX402({ config, client });
    const background = createBackground({
      ...{ ...x402, blocks, config, ledger, relayKey: keys.relayKey, log, requirePinned, tree, anchorableSize },
      ...(budgets && { budgets }),
    });
    closers.push(() => background.stop());
    await background.readBudgets();
    const prices = createPrices({ config, client, head: background.head, log, ...clock });
    closers.push(() => prices.stop());
    await prices.prepare();
    const { challengeKey, masterKey } = keys;
    const { channelReader: reader, settlement, transactions } = background;
    const payments = createPayments({
      ...{ config, ledger, prices: prices.list, x402, settlement, challengeKey, masterKey, client, reader },
      ...{ log, ...clock, onFatal, transactions },
      collections: { collect: () => background.runJob('collect'), settle: (open) => background.settleCollection(open) },
    });
    closers.push(() => payments.close());
    return { chainId: chain.id, config, ledger, background, prices, payments, x402, close };
  } catch (error) {
    await close();
    throw error;
  }
}
