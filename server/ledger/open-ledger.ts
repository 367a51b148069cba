import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import { createChannelLedger } from './create-channel-ledger.ts';
import { createKeyLedger } from './create-key-ledger.ts';
import { createPinLedger } from './create-pin-ledger.ts';
import { createPurchaseLedger } from './create-purchase-ledger.ts';
import { createWebhookLedger } from './create-webhook-ledger.ts';
import { createEvidenceLedger, type EvidenceLedger } from './evidence-ledger.ts';
import { channelOf } from './call-store.ts';
import { GroupWorker, type ChainWriter } from './group-worker.ts';
import type { BackgroundLedger, SpendingSum } from './background-ledger.ts';
import type { ChannelLedger } from './channel-ledger.ts';
import type { KeyLedger } from './key-ledger.ts';
import type { Ledger, ReserveOutcome, ReserveRequest } from './ledger.ts';
import { lockDataFolder } from './lock-data-folder.ts';
import type { PinLedger } from './pin-ledger.ts';
import type { PurchaseLedger } from './purchase-ledger.ts';
import type { WebhookLedger } from './webhook-ledger.ts';
import { RecalledChannels } from './recalled-channels.ts';
import { mergeSpending, type SpendingPage } from './spending-store.ts';

/** Where the books are and whose receipts they hold. */
export interface OpenLedgerOptions {
  /** The data folder: the ledger is `ledger.sqlite` in it. Give this or `file`. */
  dataDir?: string;
  /** The ledger file itself. */
  file?: string;
  /** EIP-155 id of the home chain; the same as the scope's. */
  chainId: number;
  /** Home chain and AutoPayLLM contract that the receipts are signed for. */
  receiptScope: TypedDataScope;
  /** The same of every other chain that calls are paid on. */
  otherScopes?: readonly TypedDataScope[];
  /** Private key that signs the receipt batches, 32 bytes. */
  receiptKey: Uint8Array;
  /** Test only: delays every COMMIT. */
  commitDelayMs?: number;
  /** The writer has died. The process MUST exit; without this it does, by an uncaught exception. */
  onFatal?: (error: Error) => void;
}

function fileOf({ dataDir, file }: OpenLedgerOptions): string {
  if (file !== undefined) return resolve(file);
  if (dataDir !== undefined) return resolve(dataDir, 'ledger.sqlite');
  throw new AutoPayError('invalid_argument', 'Give openLedger a dataDir or a file.');
}

function exitByException(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}

/** The books of a relay on one chain. */
export type ChainLedger = Ledger &
  BackgroundLedger &
  ChannelLedger &
  KeyLedger &
  PurchaseLedger &
  WebhookLedger &
  PinLedger &
  EvidenceLedger;

/** The books of a relay: those of its home chain, and the way to those of the others. */
export interface RelayLedger extends ChainLedger {
  /**
   * The books on one chain, which see nothing of what belongs to another: channels, payments, collections, transactions, keys. The
   * log and the budgets are of all chains together. `close` closes them all.
   */
  on(chainId: number): ChainLedger;
}

function createReserve(worker: ChainWriter, recalled: RecalledChannels) {
  return function reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<ReserveOutcome>();
    const durable = worker
      .call('reserve', request, {
        onDecided(decision) {
          recalled.remember(decision.ok ? decision.channel : decision.refusal.channel);
          resolve(decision.ok ? { ...decision, durable } : decision);
        },
      })
      .then(() => undefined);
    // Rejects the outcome if the group failed before it was decided; afterwards the caller hears of it by `durable`.
    durable.catch((error: unknown) => {
      recalled.forget(channelOf(request.funds));
      reject(error);
    });
    return promise;
  };
}

function createBackground(worker: ChainWriter): BackgroundLedger {
  return {
    listEntries: (options) => worker.call('listEntries', options),
    logSize: () => worker.call('logSize', undefined),
    newestCheckpoint: () => worker.call('newestCheckpoint', undefined),
    addCheckpoint: (checkpoint) => worker.call('addCheckpoint', checkpoint),
    lastBlock: () => worker.call('lastBlock', undefined),
    findBlock: (size) => worker.call('findBlock', size),
    addBlock: (block) => worker.call('addBlock', block),
    anchoredSize: () => worker.call('anchoredSize', undefined),
    findSentAnchor: () => worker.call('findSentAnchor', undefined),
    recordAnchor: (anchor) => worker.call('recordAnchor', anchor),
    findAnchorOf: (index) => worker.call('findAnchorOf', index),
    listLeafHashes: (options) => worker.call('listLeafHashes', options),
    findCharge: (place) => worker.call('findCharge', place),
    findLastCharge: (options) => worker.call('findLastCharge', options),
    openCollection: (options) => worker.call('openCollection', options),
    oldestClosingDebt: () => worker.call('oldestClosingDebt', undefined),
    listOpenCollections: () => worker.call('listOpenCollections', undefined),
    finishCollection: (result) => worker.call('finishCollection', result),
    abandonCollection: (id) => worker.call('abandonCollection', id),
    listPendingBookings: (options = {}) => worker.call('listPendingBookings', options),
    finishBooking: (result) => worker.call('finishBooking', result),
    listDuePayments: (options) => worker.call('listDuePayments', options),
    getPayment: (paymentId) => worker.call('getPayment', paymentId),
    getDuePayment: (paymentId) => worker.call('getDuePayment', paymentId),
    countPayments: () => worker.call('countPayments', undefined),
    settlePayment: (result) => worker.call('settlePayment', result),
    losePayment: (result) => worker.call('losePayment', result),
    forgivePayment: (paymentId) => worker.call('forgivePayment', paymentId),
    listLosses: (page) => worker.call('listLosses', page),
    listRetriedLosses: (page) => worker.call('listRetriedLosses', page),
    listCarriedPayments: (page) => worker.call('listCarriedPayments', page),
    openPaymentBooking: (options) => worker.call('openPaymentBooking', options),
    getSpending: (scopes) => worker.call('getSpending', scopes),
    async listSpending(options) {
      const sums: SpendingSum[] = [];
      for (let from: number | null = 0; from !== null;) {
        const page: SpendingPage = await worker.call('sumSpending', { ...options, from });
        sums.splice(0, sums.length, ...mergeSpending([...sums, ...page.sums]));
        from = page.next;
      }
      return sums;
    },
    listCharges: (options) => worker.call('listCharges', options),
    enqueueTransaction: (transaction) => worker.call('enqueueTransaction', transaction),
    getTransaction: (purpose) => worker.call('getTransaction', purpose),
    replaceTransaction: (replacement) => worker.call('replaceTransaction', replacement),
    findTransaction: (place) => worker.call('findTransaction', place),
    listUnfinishedTransactions: (account) => worker.call('listUnfinishedTransactions', account),
    finishTransaction: (result) => worker.call('finishTransaction', result),
    nextNonce: (account) => worker.call('nextNonce', account),
    listBudgetChanges: (options = {}) => worker.call('listBudgetChanges', options),
    replaceBudgetChanges: (range) => worker.call('replaceBudgetChanges', range),
    getState: (key) => worker.call('getState', key),
    setState: (key, value) => worker.call('setState', { key, value }),
    listChannels: (options = {}) => worker.call('listChannels', options),
  };
}

/**
 * Opens the relay's books. One process at a time: it holds `relay.lock` beside the file until `close`. Reservations that
 * a dead process left are released as `crashed`.
 * @throws AutoPayError `data_dir_locked` or `invalid_configuration` (newer schema, another deployment's ledger).
 */
export async function openLedger(options: OpenLedgerOptions): Promise<RelayLedger> {
  const { chainId, receiptScope, otherScopes = [], receiptKey } = options;
  const { commitDelayMs = 0, onFatal = exitByException } = options;
  if (chainId !== receiptScope.chainId) {
    throw new AutoPayError('invalid_configuration', 'Receipts must be signed for the chain of the channels.');
  }
  const file = fileOf(options);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const unlock = lockDataFolder(join(dirname(file), 'relay.lock'));
  const worker = new GroupWorker(
    { file, receiptScopes: [receiptScope, ...otherScopes], receiptKey, commitDelayMs },
    onFatal,
  );
  try {
    await worker.ready();
  } catch (error) {
    unlock();
    throw error;
  }
  const close = async () => {
    await worker.close();
    unlock();
  };
  const views = new Map(
    [receiptScope, ...otherScopes].map((scope) => [scope.chainId, createChainLedger(worker.on(scope.chainId), close)]),
  );
  const on = (wanted: number): ChainLedger => {
    const view = views.get(wanted);
    if (view) return view;
    throw new AutoPayError('internal_error', `The ledger was not opened for chain ${wanted}.`);
  };
  return { ...on(chainId), on };
}

/** The books on one chain. */
function createChainLedger(worker: ChainWriter, close: () => Promise<void>): ChainLedger {
  const recalled = new RecalledChannels();
  return {
    reserve: createReserve(worker, recalled),
    async charge(request) {
      const result = await worker.call('charge', request);
      recalled.remember(result.channel);
      return result;
    },
    moveCall: (request) => worker.call('moveCall', request),
    async release(request) {
      recalled.remember(await worker.call('release', request));
    },
    async upsertChannel(channel) {
      const state = await worker.call('upsertChannel', channel);
      recalled.remember(state);
      return state;
    },
    async getChannel(channelId) {
      const channel = await worker.call('getChannel', channelId);
      recalled.remember(channel);
      return channel;
    },
    recallChannel: (channelId) => recalled.get(channelId),
    getSignedReceipt: (callId) => worker.call('getSignedReceipt', callId),
    findAnswer: (callId) => worker.call('findAnswer', callId),
    findRepeat: (idempotency) => worker.call('findRepeat', idempotency),
    ...createBackground(worker),
    ...createChannelLedger(worker, recalled),
    ...createKeyLedger(worker, recalled),
    ...createPurchaseLedger(worker),
    ...createWebhookLedger(worker),
    ...createEvidenceLedger(worker),
    ...createPinLedger(worker),
    async sweep(nowMs) {
      const freed = await worker.call('sweep', { leaseBeforeMs: nowMs, nowMs });
      if (freed > 0) recalled.clear();
      // Some at a time, so that calls come in between.
      while ((await worker.call('forgetAnswers', nowMs)) > 0);
      return freed;
    },
    close,
  };
}
