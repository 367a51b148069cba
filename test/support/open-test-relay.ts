import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { privateKeyToAccount } from 'viem/accounts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { createBlockStore, type BlockStore } from '../../server/audit/block-store.ts';
import type { LogTree } from '../../server/audit/log-tree.ts';
import type { AnchoringDeps } from '../../server/audit/run-anchoring.ts';
import { createChainClient, type ChainClient } from '../../server/chain/create-chain-client.ts';
import type { JobLog } from '../../server/chain/job-log.ts';
import { createTransactionQueue, type TransactionQueue } from '../../server/chain/send-queued-transactions.ts';
import type { CollectionDeps } from '../../server/collection/collection-deps.ts';
import { auditSchema } from '../../server/config/schema/audit-section.ts';
import { createLog } from '../../server/create-log.ts';
import type { BackgroundLedger } from '../../server/ledger/background-ledger.ts';
import type { ChannelLedger } from '../../server/ledger/channel-ledger.ts';
import type { Ledger } from '../../server/ledger/ledger.ts';
import { openLedger } from '../../server/ledger/open-ledger.ts';
import type { ChainStack, TestChannel } from './deploy-stack.ts';
import type { FaultInjector } from './inject-faults.ts';

/** Says nothing. */
export const silentLog: JobLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The back of a relay on a real ledger and a real chain: what background jobs work with. */
export interface TestRelay {
  dataDir: string;
  ledger: Ledger & BackgroundLedger & ChannelLedger;
  blocks: BlockStore;
  /** The log; it takes in what is charged when it is told to. */
  tree: LogTree;
  client: ChainClient;
  queue: TransactionQueue;
  /** Everything that the jobs need; with an injector, every step outside of memory is one that can break. */
  deps(injector?: FaultInjector): CollectionDeps & AnchoringDeps;
  /** Tells the ledger of a channel as the relay does when it first sees one. */
  addChannel(channel: TestChannel, deposit: bigint): Promise<void>;
  close(): Promise<void>;
}

/** Opens a relay's books in a folder of their own. */
export async function openTestRelay(stack: ChainStack): Promise<TestRelay> {
  const { chain, contracts, relayKey, relay } = stack;
  const dataDir = await mkdtemp(join(tmpdir(), 'autopay-relay-'));
  const ledger = await openLedger({
    dataDir,
    chainId: chain.chainId,
    receiptScope: { chainId: chain.chainId, verifyingContract: contracts.autoPayLLM },
    receiptKey: relayKey,
  });
  const client = createChainClient({ rpcUrl: chain.rpcUrl, chainId: chain.chainId });
  const blocks = createBlockStore(join(dataDir, 'blocks'));
  const auditLog = await createLog({
    config: { audit: auditSchema.parse({}), chain: { id: chain.chainId }, contracts },
    ...{ dataDir, ledger, log: silentLog, nowMs: () => Date.now() },
    keys: { logKey: Buffer.alloc(32, 7), relayKey: Buffer.from(relayKey) },
  });
  const { tree } = auditLog;
  const account = privateKeyToAccount(toHex(relayKey));
  const queueOf = (parts: { ledger: BackgroundLedger; client: ChainClient }): TransactionQueue =>
    createTransactionQueue({ ...parts, account, chainId: chain.chainId, log: silentLog, pollingIntervalMs: 20 });
  const shared = {
    ...{ relay, contracts, auditLog: contracts.auditLog, maxClaims: 100, log: silentLog },
    shortBonds: new Map<Hex, bigint>(),
    toldBatches: new Set<string>(),
  };
  const queue = queueOf({ ledger, client });

  return {
    dataDir,
    ledger,
    blocks,
    tree,
    client,
    queue,
    deps(injector) {
      if (injector === undefined) return { ...shared, ledger, blocks, client, queue };
      const broken = {
        ledger: injector.wrap<BackgroundLedger>(ledger, ledgerSteps),
        client: injector.wrap(client, ['sendRawTransaction', 'getTransactionReceipt']),
        blocks: injector.wrap(blocks, ['put', 'get']),
      };
      // A queue of its own, as a restarted process has.
      return { ...shared, ...broken, queue: queueOf(broken) };
    },
    async addChannel(channel, deposit) {
      await ledger.upsertChannel({
        channelId: channel.channelId,
        payer: stack.payer,
        payee: contracts.autoPayLLM,
        token: contracts.usdc,
        salt: channel.salt,
        authorizedSigner: `0x${'0'.repeat(40)}`,
        deposit,
        settled: 0n,
        closeRequestedAt: 0,
        finalized: false,
        readAtBlock: Number(await client.getBlockNumber()),
      });
    },
    async close() {
      await auditLog.stop();
      await ledger.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Everything that changes the books. */
const ledgerSteps = [
  'addBlock',
  'recordAnchor',
  'openCollection',
  'openPaymentBooking',
  'finishCollection',
  'abandonCollection',
  'finishBooking',
  'enqueueTransaction',
  'replaceTransaction',
  'finishTransaction',
  'setState',
] as const;
