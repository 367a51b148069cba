import { privateKeyToAccount } from 'viem/accounts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import type { ModelBudgets, RelayAuthority } from './call/types.ts';
import type { BlockStore } from './audit/block-store.ts';
import type { LogTree } from './audit/log-tree.ts';
import { runAnchoring, type AnchoringDeps, type AnchoringResult } from './audit/run-anchoring.ts';
import { createChainClient, type ChainClient } from './chain/create-chain-client.ts';
import { createChannelReader, type ChannelReader } from './chain/create-channel-reader.ts';
import { createHeadReader, type HeadReader } from './chain/create-head-reader.ts';
import { createJob, type Job } from './chain/create-job.ts';
import type { JobLog } from './chain/job-log.ts';
import { createTransactionQueue, type TransactionQueue } from './chain/send-queued-transactions.ts';
import { createBondWatcher, type BondState } from './chain/watch-bond.ts';
import { createBudgetWatcher } from './chain/watch-budgets.ts';
import { createChannelWatcher } from './chain/watch-channels.ts';
import { createRoleWatcher } from './chain/watch-roles.ts';
import type { CollectionDeps } from './collection/collection-deps.ts';
import {
  runCollection,
  settleCollection,
  type CollectedResult,
  type CollectionResult,
} from './collection/run-collection.ts';
import { runReleases, type ReleaseDeps, type ReleaseResult } from './collection/run-releases.ts';
import type { RelayConfig, RouteConfig, TokenConfig } from './config/relay-config.ts';
import { rowsOf } from './create-prices.ts';
import { createSettlement } from './create-settlement.ts';
import { createDisputeWatcher, type DisputesState, type DisputeWatcherOptions } from './disputes/watch-disputes.ts';
import type { BackgroundLedger, Collection } from './ledger/background-ledger.ts';
import type { Ledger } from './ledger/ledger.ts';
import { describeError } from './log.ts';
import type { PaymentSubmitter } from './settlement/settle-payment.ts';
import type { SettlementQueue } from './settlement/settlement-queue.ts';

/** What the background needs to know. */
export interface BackgroundOptions {
  config: Pick<RelayConfig, 'chain' | 'contracts' | 'budgets' | 'collection' | 'audit' | 'disputes'> & {
    tokens: readonly Pick<TokenConfig, 'symbol' | 'address'>[];
    routes: readonly Pick<RouteConfig, 'cache' | 'prices'>[];
  };
  ledger: Ledger & BackgroundLedger;
  /** The 32-byte private key of the relay's account, which pays for gas. */
  relayKey: Uint8Array;
  /** The x402 facilitator outside, if there is one. */
  submitter?: PaymentSubmitter | undefined;
  /** Where blocks of the log are kept; of all chains, because there is one log. */
  blocks: BlockStore;
  /** The one log. */
  tree: LogTree;
  /** See AnchoringDeps. */
  anchorableSize?: AnchoringDeps['anchorableSize'];
  /** See AnchoringDeps. */
  requirePinned?: AnchoringDeps['requirePinned'];
  /** What votes allow models to spend, where the home chain's background knows it. Without, this is the home chain. */
  budgets?: ModelBudgets;
  log: JobLog;
  /** How often new blocks of the chain are looked at. */
  watchIntervalMs?: number;
  /** How often lapsed reservations are freed. */
  sweepIntervalMs?: number;
  /** How often what closing channels owe is collected, whatever failed before. */
  closingIntervalMs?: number;
}

/** What an operator may ask for, with its answer. Both are JSON. */
export interface JobResults {
  collect: CollectionResult;
  anchor: AnchoringResult;
  release: ReleaseResult;
}

/** The relay's work besides calls. */
export interface Background {
  channelReader: ChannelReader;
  blocks: BlockStore;
  client: ChainClient;
  /** The chain's newest block, for all that has to know how old its knowledge is. */
  head: HeadReader;
  /** What votes allow models to spend; `budgets_unknown` before the first `readBudgets`. */
  budgets: ModelBudgets;
  /**
   * Reads the budgets from the chain, so that the first call finds them.
   * @throws AutoPayError `chain_unavailable`.
   */
  readBudgets(): Promise<void>;
  /** Says which models are sold from now on: the contract itself is asked for their budgets, now and then. */
  setModels(models: readonly string[]): void;
  /** Whether governance lets the relay do business, as last read. */
  authority: RelayAuthority;
  /** The disputes that are not decided, as last read. */
  disputes(): DisputesState;
  /** Direct payments: what takes their money. */
  settlement: SettlementQueue;
  /** The one way in which the relay's account sends transactions. */
  transactions: TransactionQueue;
  /** Runs one open collection to its end, at once; undefined if it came to nothing. The job may run it too. */
  settleCollection(collection: Collection): Promise<CollectedResult | undefined>;
  /** The relay's bond by token symbol, as last read; empty before. */
  bond(): Readonly<Record<string, BondState>>;
  /**
   * Runs a job to its end, whether or not `start` was called.
   * @throws AutoPayError of the step that failed; the job is tried again at its interval.
   */
  runJob<Name extends keyof JobResults>(name: Name): Promise<JobResults[Name]>;
  /** Begins to watch, collect, anchor, release and sweep. What fails is logged and tried again; it never ends the process. */
  start(): void;
  /** Ends all of it. What is under way on the chain is stored, and taken up after the next start. */
  stop(): Promise<void>;
}

/** How often bond and roles are looked at, also after failures. */
const minuteMs = 60_000;

/** How often bookings whose dispute window is over are looked for. */
const releaseIntervalMs = 600_000;

/** How often the receipts without an anchor are counted, and at most after failures. */
const anchorSizeIntervalMs = 2_000;
const maxAnchorSizeRetryMs = 60_000;

/** What a crash left unsent, or a reorganisation took back, must not wait for a job that happens to send something. */
const resumeIntervalMs = 5_000;

/** Calls that were under way at a close have ended by then, and many tries to collect what they owe have failed. */
const lateCloseSeconds = 1_800;

/** After failures, collections are tried again at least this often: an hour after its request a close takes the rest. */
const maxCollectRetryMs = 600_000;

/** Wires the background jobs together; nothing runs before `start` or `runJob`. */
export function createBackground(options: BackgroundOptions): Background {
  const { blocks, config, ledger, relayKey, log } = options;
  const { watchIntervalMs = 2_000, sweepIntervalMs = 5_000 } = options;
  const { chain, contracts } = config;
  const account = privateKeyToAccount(toHex(relayKey));
  const client = createChainClient({ rpcUrl: chain.rpcUrl, chainId: chain.id });
  const { maxHeadAgeSeconds } = chain;
  const head = createHeadReader({ client, chainId: chain.id, maxHeadAgeSeconds, log, nowMs: () => Date.now() });
  const stopping = new AbortController();
  const queue = createTransactionQueue({
    ...{ client, ledger, account, chainId: chain.id, log, signal: stopping.signal },
    ...chain.transactions,
    confirmedAfterBlocks: chain.reorgMarginBlocks,
  });
  const escrow = { client, ...escrowOf(config) };
  const settlement = createSettlement({
    ...{ client, ledger, queue, log, submitter: options.submitter, maxBlocksPerQuery: chain.maxBlocksPerQuery },
    contracts: { autoPayLLM: contracts.autoPayLLM, paymentDesk: contracts.paymentDesk },
  });
  const findSalt = async (channelId: Hex) => (await ledger.getChannel(channelId))?.salt;
  const channelReader = createChannelReader({ ...escrow, chainId: chain.id, findSalt });

  const collection: CollectionDeps = {
    ...{ ledger, queue, client, contracts, log, relay: account.address, maxClaims: config.collection.maxClaims },
    ...{ shortBonds: new Map<Hex, bigint>(), toldBatches: new Set<string>() },
  };
  const { collect, collectClosing } = createCollectJobs({
    collection,
    ledger,
    intervalMs: config.collection.intervalSeconds * 1_000,
    closingIntervalMs: options.closingIntervalMs ?? 60_000,
  });
  const { anchorableSize, requirePinned } = options;
  const { anchor, anchorBySize } = createAnchorJobs(
    { ledger, blocks, queue, auditLog: contracts.auditLog, log, anchorableSize, requirePinned },
    config.audit,
  );
  const release = createReleaseJob({ ledger, queue, client, contracts, ...chain, log });
  const watcher = createChannelWatcher({
    ...escrow,
    tokens: config.tokens.map((token) => token.address),
    ledger,
    reader: channelReader,
    log,
    onCloseRequested: (channelId) => collectForClose({ channelId, collect, log }),
  });
  const watch = createJob({ name: 'watch', intervalMs: watchIntervalMs, work: () => watcher.poll(), log });
  const views = createContractViews({
    ...{ config, ledger, client, head, log, watchIntervalMs, queue, relay: account.address, budgets: options.budgets },
    ...{ anchor: () => anchor.run(), tree: options.tree },
  });
  const sweep = createSweepJob({ ledger, log, intervalMs: sweepIntervalMs });
  const resume = createJob({ name: 'account', intervalMs: resumeIntervalMs, work: () => queue.resume(), log });
  const money = [collect, collectClosing, release, ...settlement.jobs];
  const jobs = [resume, watch, ...views.jobs, ...money, anchor, anchorBySize, sweep];
  const onDemand = { collect, anchor, release };

  return {
    ...{ channelReader, blocks, client, head, settlement: settlement.queue, transactions: queue },
    settleCollection: (open) => settleCollection(collection, open),
    ...views.known,
    // TypeScript cannot see that the job and its result go by the same name.
    runJob: <Name extends keyof JobResults>(name: Name) => onDemand[name].run() as Promise<JobResults[Name]>,
    start() {
      for (const job of jobs) job.start();
    },
    async stop() {
      stopping.abort();
      await Promise.all(jobs.map((job) => job.stop()));
      await settlement.queue.idle();
    },
  };
}

/** The escrow that the relay is paid from, and how it is read. */
function escrowOf({ chain, contracts }: Pick<RelayConfig, 'chain' | 'contracts'>) {
  const { deployedAtBlock, finality, reorgMarginBlocks, maxBlocksPerQuery } = chain;
  return {
    ...{ paymentChannels: contracts.paymentChannels, payee: contracts.autoPayLLM },
    ...{ deployedAtBlock, finality, reorgMarginBlocks, maxBlocksPerQuery },
  };
}

type ContractViews = Pick<Background, 'authority' | 'bond' | 'budgets' | 'disputes' | 'readBudgets' | 'setModels'>;

/** The jobs that follow what votes and disputes change: budgets at every new block, the rest each minute or as configured. */
function createContractViews(
  options: Pick<BackgroundOptions, 'config' | 'ledger' | 'log'> & { budgets: ModelBudgets | undefined } & Pick<
      DisputeWatcherOptions,
      'anchor' | 'queue' | 'tree'
    > & {
      client: ChainClient;
      head: HeadReader;
      relay: Hex;
      watchIntervalMs: number;
    },
): { known: ContractViews; jobs: readonly Job<void>[] } {
  const { config, ledger, log, client, relay, queue, anchor, tree } = options;
  const { contracts, tokens } = config;
  const home = options.budgets
    ? { budgets: options.budgets, jobs: [], setModels: () => undefined }
    : createBudgetJobs(options);
  const { auditLog, billingDisputes } = contracts;
  const bond = createBondWatcher({ client, autoPayLLM: contracts.autoPayLLM, tokens, log });
  const disputes = createDisputeWatcher({ client, ledger, queue, auditLog, billingDisputes, anchor, tree, log });
  const authority = createRoleWatcher({ client, contracts, relay, log });
  const slower = [
    { name: 'watch bond', watcher: bond, intervalMs: minuteMs },
    // Also after failures: a challenge has to be answered within a day.
    { name: 'watch disputes', watcher: disputes, intervalMs: config.disputes.intervalSeconds * 1_000 },
    { name: 'watch roles', watcher: authority, intervalMs: minuteMs },
  ];
  return {
    known: {
      ...{ authority, bond: () => bond.state(), disputes: () => disputes.state() },
      budgets: home.budgets,
      setModels: home.setModels,
      readBudgets: async () => void (await Promise.all(home.jobs.map((job) => job.run()))),
    },
    jobs: [
      ...home.jobs,
      ...slower.map(({ name, watcher, intervalMs }) =>
        createJob({ name, intervalMs, maxRetryMs: intervalMs, work: () => watcher.poll(), log }),
      ),
    ],
  };
}

/** What the votes of the home chain allow models to spend. */
function createBudgetJobs(
  options: Pick<BackgroundOptions, 'config' | 'ledger' | 'log'> & {
    client: ChainClient;
    head: HeadReader;
    watchIntervalMs: number;
  },
): Pick<Background, 'budgets' | 'setModels'> & { jobs: readonly Job<void>[] } {
  const { config, ledger, log, client, head, watchIntervalMs } = options;
  const { chain, contracts, tokens, routes } = config;
  const maxStalenessMs = config.budgets.maxStalenessSeconds * 1_000;
  const models = [...new Set(rowsOf(routes).map(({ model }) => model))];
  const budgets = createBudgetWatcher({
    ...{ client, head, ledger, log, maxStalenessMs, clock: { nowMs: () => Date.now() } },
    modelBudgets: contracts.modelBudgets,
    models,
    tokens: tokens.map((token) => token.address),
    deployedAtBlock: chain.deployedAtBlock,
    reorgMarginBlocks: chain.reorgMarginBlocks,
    maxBlocksPerQuery: chain.maxBlocksPerQuery,
  });
  const job = createJob({
    name: 'watch budgets',
    intervalMs: watchIntervalMs,
    // Several tries fit into the time after which nothing is sold, however slow the retries have become.
    maxRetryMs: Math.min(watchIntervalMs * 8, maxStalenessMs / 4),
    work: () => budgets.poll(),
    log,
  });
  return { budgets, jobs: [job], setModels: (next) => void models.splice(0, models.length, ...next) };
}

/** A payer wants its deposit back: what it owes is collected at once, in the background. */
function collectForClose(options: { channelId: Hex; collect: Job<CollectionResult>; log: JobLog }): void {
  const { channelId, collect, log } = options;
  log.info({ channelId }, 'a payer wants to close its channel; collecting now');
  collect
    .run()
    .catch((error: unknown) => log.error({ channelId, error: describeError(error) }, 'the collection failed'));
}

/** The log is anchored by age, and sooner where many receipts wait. */
function createAnchorJobs(
  deps: AnchoringDeps,
  { intervalSeconds, maxUnanchoredEntries }: RelayConfig['audit'],
): { anchor: Job<AnchoringResult>; anchorBySize: Job<void> } {
  const { ledger, log } = deps;
  const intervalMs = intervalSeconds * 1_000;
  const anchor = createJob({ name: 'anchor', intervalMs, work: () => runAnchoring(deps), log });
  const anchorBySize = createJob({
    ...{
      name: 'anchor by size',
      intervalMs: anchorSizeIntervalMs,
      maxRetryMs: Math.max(intervalMs, maxAnchorSizeRetryMs),
      log,
    },
    async work() {
      const [size, anchored] = await Promise.all([ledger.logSize(), ledger.anchoredSize()]);
      if (size - anchored >= maxUnanchoredEntries) await anchor.run();
    },
  });
  return { anchor, anchorBySize };
}

/** Bookings whose dispute window is over become the providers' credits, which frees the relay's bond. */
function createReleaseJob(deps: ReleaseDeps): Job<ReleaseResult> {
  const { log } = deps;
  return createJob({ name: 'release', intervalMs: releaseIntervalMs, work: () => runReleases(deps), log });
}

function createSweepJob(options: { ledger: Pick<Ledger, 'sweep'>; log: JobLog; intervalMs: number }): Job<void> {
  const { ledger, log, intervalMs } = options;
  return createJob({
    name: 'sweep',
    intervalMs,
    async work() {
      const freed = await ledger.sweep(Date.now());
      if (freed > 0) log.warn({ freed }, 'freed reservations whose lease had ended');
    },
    log,
  });
}

/** The ordinary collections, and beside them, because they may be far apart, those of closing channels. */
function createCollectJobs(options: {
  collection: CollectionDeps;
  ledger: Pick<BackgroundLedger, 'oldestClosingDebt'>;
  intervalMs: number;
  closingIntervalMs: number;
}): { collect: Job<CollectionResult>; collectClosing: Job<void> } {
  const { collection, ledger, intervalMs, closingIntervalMs } = options;
  const { log } = collection;
  const work = () => runCollection(collection);
  const collect = createJob({ name: 'collect', intervalMs, maxRetryMs: maxCollectRetryMs, work, log });
  const collectClosing = createJob({
    name: 'collect closing channels',
    intervalMs: closingIntervalMs,
    maxRetryMs: closingIntervalMs,
    async work() {
      const oldest = await ledger.oldestClosingDebt();
      if (oldest === undefined) return;
      const ageSeconds = Math.floor(Date.now() / 1_000) - oldest;
      if (ageSeconds > lateCloseSeconds) {
        const message =
          'a payer may soon withdraw what it owes: collections fail, see why and mend it within the hour of grace';
        log.error({ closeRequestedAt: oldest, ageSeconds }, message);
      }
      await collect.run();
    },
    log,
  });
  return { collect, collectClosing };
}
