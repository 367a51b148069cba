import { join } from 'node:path';
import { privateKeyToAccount } from 'viem/accounts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { createBlockStore, type BlockStore } from './audit/block-store.ts';
import { runAnchoring, type AnchoringResult } from './audit/run-anchoring.ts';
import { createChainClient, type ChainClient } from './chain/create-chain-client.ts';
import { createChannelReader, type ChannelReader } from './chain/create-channel-reader.ts';
import { createJob, describeError } from './chain/create-job.ts';
import type { JobLog } from './chain/job-log.ts';
import { createTransactionQueue } from './chain/send-queued-transactions.ts';
import { createChannelWatcher } from './chain/watch-channels.ts';
import { runCollection, type CollectionResult } from './collection/run-collection.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { BackgroundLedger } from './ledger/background-ledger.ts';
import type { Ledger } from './ledger/ledger.ts';

/** What the background needs to know. */
export interface BackgroundOptions {
  config: Pick<RelayConfig, 'chain' | 'contracts' | 'collection' | 'audit'>;
  ledger: Ledger & BackgroundLedger;
  /** The 32-byte private key of the relay's account, which pays for gas. */
  relayKey: Uint8Array;
  /** Blocks are kept in its `blocks` folder. */
  dataDir: string;
  log: JobLog;
  /** How often new blocks of the chain are looked at. */
  watchIntervalMs?: number;
  /** How often lapsed reservations are freed. */
  sweepIntervalMs?: number;
}

/** What an operator may ask for, with its answer. Both are JSON. */
export interface JobResults {
  collect: CollectionResult;
  anchor: AnchoringResult;
}

/** The relay's work besides calls. */
export interface Background {
  channelReader: ChannelReader;
  blocks: BlockStore;
  client: ChainClient;
  /**
   * Runs a job to its end, whether or not `start` was called.
   * @throws AutoPayError of the step that failed; the job is tried again at its interval.
   */
  runJob<Name extends keyof JobResults>(name: Name): Promise<JobResults[Name]>;
  /** Begins to watch, collect, anchor and sweep. What fails is logged and tried again; it never ends the process. */
  start(): void;
  /** Ends all of it. What is under way on the chain is stored, and taken up after the next start. */
  stop(): Promise<void>;
}

/** Wires the background jobs together; nothing runs before `start` or `runJob`. */
export function createBackground(options: BackgroundOptions): Background {
  const { config, ledger, relayKey, dataDir, log, watchIntervalMs = 2_000, sweepIntervalMs = 5_000 } = options;
  const { chain, contracts } = config;
  const account = privateKeyToAccount(toHex(relayKey));
  const client = createChainClient({ rpcUrl: chain.rpcUrl, chainId: chain.id });
  const blocks = createBlockStore(join(dataDir, 'blocks'));
  const stopping = new AbortController();
  const queue = createTransactionQueue({ client, ledger, account, chainId: chain.id, log, signal: stopping.signal });
  const escrow = {
    client,
    paymentChannels: contracts.paymentChannels,
    payee: contracts.autoPayLLM,
    deployedAtBlock: chain.deployedAtBlock,
  };
  const findSalt = async (channelId: Hex) => (await ledger.getChannel(channelId))?.salt;
  const channelReader = createChannelReader({ ...escrow, chainId: chain.id, findSalt });

  const collection = {
    ledger,
    queue,
    client,
    relay: account.address,
    contracts,
    maxClaims: config.collection.maxClaims,
    log,
  };
  const collect = createJob({
    name: 'collect',
    intervalMs: config.collection.intervalSeconds * 1_000,
    work: () => runCollection(collection),
    log,
  });
  const anchor = createJob({
    name: 'anchor',
    intervalMs: config.audit.intervalSeconds * 1_000,
    work: () => runAnchoring({ ledger, blocks, queue, auditLog: contracts.auditLog, log }),
    log,
  });
  const watcher = createChannelWatcher({
    ...escrow,
    ledger,
    reader: channelReader,
    log,
    onCloseRequested(channelId) {
      log.info({ channelId }, 'a payer wants to close its channel; collecting now');
      collect
        .run()
        .catch((error: unknown) => log.error({ channelId, ...describeError(error) }, 'the collection failed'));
    },
  });
  const watch = createJob({ name: 'watch', intervalMs: watchIntervalMs, work: () => watcher.poll(), log });
  const sweep = createJob({
    name: 'sweep',
    intervalMs: sweepIntervalMs,
    async work() {
      const freed = await ledger.sweep(Date.now());
      if (freed > 0) log.warn({ freed }, 'freed reservations whose lease had ended');
    },
    log,
  });
  const jobs = [watch, collect, anchor, sweep];
  const onDemand = { collect, anchor };

  return {
    channelReader,
    blocks,
    client,
    // TypeScript cannot see that the job and its result go by the same name.
    runJob: <Name extends keyof JobResults>(name: Name) => onDemand[name].run() as Promise<JobResults[Name]>,
    start() {
      // What a crash left unsent must not wait for the next job that happens to send something.
      queue.resume().catch((error: unknown) => log.warn(describeError(error), 'earlier transactions still wait'));
      for (const job of jobs) job.start();
    },
    async stop() {
      stopping.abort();
      await Promise.all(jobs.map((job) => job.stop()));
    },
  };
}
