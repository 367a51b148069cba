import type { DatabaseSync } from 'node:sqlite';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { SignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import { createAnswerStore, type AnswerStore } from '../answer-store.ts';
import type { BudgetChange, Collection, DuePayment, ScopeWindow } from '../background-ledger.ts';
import { createBudgetChangeStore, type BudgetChangeStore, type ChangePlace } from '../budget-change-store.ts';
import { createCallStore, type CallStore } from '../call-store.ts';
import { createChannelStore, type ChannelStore } from '../channel-store.ts';
import { createChargeStore, type ChargeStore } from '../charge-store.ts';
import { createCheckpointStore, type CheckpointStore } from '../checkpoint-store.ts';
import { createCollectionStore, type CollectionStore } from '../collection-store.ts';
import type { AfterSeal } from '../group-context.ts';
import type { ChannelState } from '../ledger.ts';
import { RowCaches } from '../row-cache.ts';
import { createKeyChannelStore, type KeyChannelStore } from '../key-channel-store.ts';
import { createKeyStore, type KeyStore } from '../key-store.ts';
import { createEvidenceStore, type EvidenceStore } from '../evidence-store.ts';
import { createLogEnd, type LogEnd } from '../log-end.ts';
import { createLogStore, type LogStore } from '../log-store.ts';
import { createModelDayStore, type ModelDayStore } from '../model-day-store.ts';
import { createPaymentBookingStore, type PaymentBookingStore } from '../payment-booking-store.ts';
import { createPaymentStore, type PaymentStore } from '../payment-store.ts';
import { createPinStore, type PinStore } from '../pin-store.ts';
import { createPurchaseChannelStore, type PurchaseChannelStore } from '../purchase-channel-store.ts';
import { createPurchaseStore, type PurchaseStore } from '../purchase-store.ts';
import type { IdPage } from '../settlement-store.ts';
import { createScopeStore, type ScopeStore } from '../scope-store.ts';
import { createSpendingStore, type SpendingStore } from '../spending-store.ts';
import { createStateStore, type StateStore } from '../state-store.ts';
import { createTransactionStore, type TransactionStore } from '../transaction-store.ts';
import { createWebhookStore, type WebhookStore } from '../webhook-store.ts';
import { createAcceptVoucher } from './accept-voucher.ts';
import { createExtendCall } from './extend-call.ts';
import { createFindRepeat } from './check-idempotency.ts';
import { createChargeCall } from './charge-call.ts';
import { createEvidenceOperations } from './evidence-operations.ts';
import { createEnqueueTransaction, createFinishTransaction, createReplaceTransaction } from './enqueue-transaction.ts';
import { createFinishBooking, createListPendingBookings } from './finish-booking.ts';
import { createAbandonCollection, createFinishCollection } from './finish-collection.ts';
import { createKeyOperations } from './key-operations.ts';
import { createLogOperations } from './log-operations.ts';
import { createMoveCall } from './move-call.ts';
import { createOpenClosing } from './open-closing.ts';
import { createOpenCollection } from './open-collection.ts';
import { createOpenPaymentBooking } from './open-payment-booking.ts';
import { createPinOperations } from './pin-operations.ts';
import { createPurchaseOperations } from './purchase-operations.ts';
import { createFindAnswer } from './read-charge.ts';
import { createReleaseCall } from './release-call.ts';
import { createReserveCall } from './reserve-call.ts';
import { createForgivePayment, createLosePayment, createSettlePayment } from './settle-payment.ts';
import { createForgetAnswers, createSweepReservations } from './sweep-reservations.ts';
import { createUpsertChannel } from './upsert-channel.ts';
import { createWebhookOperations } from './webhook-operations.ts';

/** The most rows that one list answers; ask again from where it ended. */
export const maxListed = 10_000;

/** The most payments that one list answers; each may have a payload of some kilobytes. */
const maxPaymentsListed = 1_000;
/** The most scopes that one question is answered for. */
const maxScopesListed = 1_000;

/** What the operations of one chain work on; log, budgets and nonces of logins are of all chains. */
export interface Stores {
  chainId: number;
  channels: ChannelStore;
  calls: CallStore;
  charges: ChargeStore;
  payments: PaymentStore;
  paymentBookings: PaymentBookingStore;
  scopes: ScopeStore;
  answers: AnswerStore;
  spending: SpendingStore;
  modelDays: ModelDayStore;
  budgetChanges: BudgetChangeStore;
  log: LogStore;
  checkpoints: CheckpointStore;
  collections: CollectionStore;
  transactions: TransactionStore;
  state: StateStore;
  keys: KeyStore;
  keyChannels: KeyChannelStore;
  purchases: PurchaseStore;
  purchaseChannels: PurchaseChannelStore;
  webhooks: WebhookStore;
  evidence: EvidenceStore;
  pins: PinStore;
}

/** What the stores of all chains have in common. */
export interface SharedStores {
  caches: RowCaches;
  modelDays: ModelDayStore;
  logEnd: LogEnd;
}

/** The shared stores of a database. */
export function createSharedStores(db: DatabaseSync): SharedStores {
  const caches = new RowCaches();
  return { caches, modelDays: createModelDayStore(db, caches), logEnd: createLogEnd(db, caches) };
}

/**
 * The stores of one chain in a database; prepares every statement. None of them sees what is of another chain, so the same token
 * address, nonce or purpose on two chains are two.
 *
 * @param chain.shared the same for all chains of a database
 * @param chain.isHome whether it is the chain whose values in `state`, and scopes of idempotency keys, have no prefix
 */
export function createStores(
  db: DatabaseSync,
  { chainId, isHome, shared }: { chainId: number; isHome: boolean; shared: SharedStores },
): Stores {
  const { caches, modelDays, logEnd } = shared;
  const channels = createChannelStore(db, chainId, caches);
  const prefix = isHome ? '' : `chain:${chainId}:`;
  return {
    chainId,
    channels,
    calls: createCallStore(db, chainId, caches),
    charges: createChargeStore(db, chainId, logEnd),
    payments: createPaymentStore(db, chainId),
    paymentBookings: createPaymentBookingStore(db, chainId),
    scopes: createScopeStore(db, chainId, caches),
    answers: createAnswerStore(db, { prefix }),
    spending: createSpendingStore(db, chainId),
    modelDays,
    budgetChanges: createBudgetChangeStore(db),
    log: createLogStore(db, chainId),
    checkpoints: createCheckpointStore(db),
    collections: createCollectionStore(db, channels, chainId),
    transactions: createTransactionStore(db, chainId),
    state: createStateStore(db, prefix),
    keys: createKeyStore(db, chainId),
    keyChannels: createKeyChannelStore(db, chainId),
    purchases: createPurchaseStore(db),
    purchaseChannels: createPurchaseChannelStore(db),
    webhooks: createWebhookStore(db),
    evidence: createEvidenceStore(db),
    pins: createPinStore(db),
  };
}

/** Every operation of the writer on one chain by name; each takes one argument and the context of its group. */
export function createOperations(stores: Stores) {
  const { channels, charges, payments, scopes, spending, budgetChanges, collections, transactions, state } = stores;
  return {
    reserve: createReserveCall(stores),
    charge: createChargeCall(stores),
    release: createReleaseCall(stores),
    sweep: createSweepReservations(stores),
    forgetAnswers: createForgetAnswers(stores),
    upsertChannel: createUpsertChannel(stores),
    getChannel: (channelId: Hex): ChannelState | undefined => channels.find(channelId),
    listChannels: ({ after, limit = maxListed }: { after?: Hex; limit?: number }): ChannelState[] =>
      channels.list(after, Math.min(limit, maxListed)),
    getSignedReceipt: (callId: string): SignedReceipt | undefined => charges.find(callId)?.signed,
    findAnswer: createFindAnswer(stores),
    findRepeat: createFindRepeat(stores),
    findCharge: ({ channelId, sequence }: { channelId: Hex; sequence: number }) =>
      charges.findBySequence(channelId, sequence),
    findLastCharge: ({ channelId, belowIndex = Number.MAX_SAFE_INTEGER }: { channelId: Hex; belowIndex?: number }) =>
      charges.findLast(channelId, belowIndex),
    acceptVoucher: createAcceptVoucher(stores),
    openClosing: createOpenClosing(stores),
    extendCall: createExtendCall(stores),
    moveCall: createMoveCall(stores),
    findClosing: (channelId: Hex) => collections.findClosing(channelId),
    openCollection: createOpenCollection(stores),
    oldestClosingDebt: () => channels.oldestClosingDebt(),
    listOpenCollections: (): Collection[] =>
      collections.list('open', { limit: maxListed }).map((row) => collections.read(row)),
    finishCollection: createFinishCollection(stores),
    abandonCollection: createAbandonCollection(stores),
    listPendingBookings: createListPendingBookings(stores),
    finishBooking: createFinishBooking(stores),
    listDuePayments: ({ limit }: { limit: number }): DuePayment[] =>
      payments.list('due', { limit: Math.min(limit, maxPaymentsListed) }),
    listLosses: ({ after, limit }: IdPage): DuePayment[] =>
      payments.list('lost', { ...(after !== undefined && { after }), limit: Math.min(limit, maxPaymentsListed) }),
    listRetriedLosses: (page: IdPage & { nowSeconds: number }): Hex[] =>
      payments.listRetried({ ...page, limit: Math.min(page.limit, maxListed) }),
    listCarriedPayments: (page: IdPage): Hex[] =>
      payments.listCarried({ ...page, limit: Math.min(page.limit, maxListed) }),
    getPayment: (paymentId: Hex) => payments.find(paymentId),
    getDuePayment: (paymentId: Hex) => payments.findUnsettled(paymentId),
    countPayments: () => ({ due: payments.count('due'), lost: payments.count('lost') }),
    settlePayment: createSettlePayment(stores),
    losePayment: createLosePayment(stores),
    forgivePayment: createForgivePayment(stores),
    openPaymentBooking: createOpenPaymentBooking(stores),
    getSpending: (places: readonly Pick<ScopeWindow, 'id' | 'window' | 'token'>[]): ScopeWindow[] =>
      places.slice(0, maxScopesListed).map((place) => scopes.get(place)),
    listCharges: (options: Parameters<SpendingStore['list']>[0]) => spending.list(options),
    sumSpending: (options: Parameters<SpendingStore['sum']>[0]) => spending.sum(options),
    enqueueTransaction: createEnqueueTransaction(stores),
    replaceTransaction: createReplaceTransaction(stores),
    finishTransaction: createFinishTransaction(stores),
    getTransaction: (purpose: string) => transactions.findByPurpose(purpose),
    findTransaction: ({ account, nonce }: { account: Hex; nonce: number }) => transactions.findByNonce(account, nonce),
    listUnfinishedTransactions: (account: Hex) => transactions.listUnfinished(account, maxListed),
    nextNonce: (account: Hex) => transactions.nextNonce(account),
    listBudgetChanges: ({ after }: { after?: ChangePlace }): BudgetChange[] => budgetChanges.list(after, maxListed),
    replaceBudgetChanges: (range: { from: number; to: number; changes: readonly BudgetChange[] }): void =>
      budgetChanges.replace(range),
    getState: (key: string) => state.get(key),
    setState: ({ key, value }: { key: string; value: string }) => state.set(key, value),
    ...createLogOperations(stores),
    ...createKeyOperations(stores),
    ...createPurchaseOperations(stores),
    ...createWebhookOperations(stores),
    ...createEvidenceOperations(stores),
    ...createPinOperations(stores),
  };
}

type Operations = ReturnType<typeof createOperations>;
type Finished<R> = R extends AfterSeal<infer T> ? T : R;

/** The name of an operation. */
export type OperationName = keyof Operations;
/** What an operation is given. */
export type ArgumentOf<N extends OperationName> = Parameters<Operations[N]>[0];
/** What an operation answers, once its group is durable. */
export type ResultOf<N extends OperationName> = Finished<ReturnType<Operations[N]>>;

/** The operations, called by a name that came in a message. */
export type OperationTable = Record<OperationName, (argument: unknown, context: unknown) => unknown>;
