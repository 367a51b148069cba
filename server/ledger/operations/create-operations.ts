import type { DatabaseSync } from 'node:sqlite';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { SignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import type { BudgetChange, Collection, LoggedEntry } from '../background-ledger.ts';
import { createBudgetChangeStore, type BudgetChangeStore, type ChangePlace } from '../budget-change-store.ts';
import { createCallStore, type CallStore } from '../call-store.ts';
import { createChannelStore, type ChannelStore } from '../channel-store.ts';
import { createChargeStore, type ChargeStore } from '../charge-store.ts';
import { createCollectionStore, type CollectionStore } from '../collection-store.ts';
import type { AfterSeal } from '../group-context.ts';
import type { ChannelState } from '../ledger.ts';
import { createLogStore, type LogStore } from '../log-store.ts';
import { createModelDayStore, type ModelDayStore } from '../model-day-store.ts';
import { createStateStore, type StateStore } from '../state-store.ts';
import { createTransactionStore, type TransactionStore } from '../transaction-store.ts';
import { createAddBlock } from './add-block.ts';
import { createChargeCall } from './charge-call.ts';
import { createEnqueueTransaction, createFinishTransaction } from './enqueue-transaction.ts';
import { createFinishBooking, createListPendingBookings } from './finish-booking.ts';
import { createAbandonCollection, createFinishCollection } from './finish-collection.ts';
import { createOpenCollection } from './open-collection.ts';
import { createRecordAnchor } from './record-anchor.ts';
import { createReleaseCall } from './release-call.ts';
import { createReserveCall } from './reserve-call.ts';
import { createSweepReservations } from './sweep-reservations.ts';
import { createUpsertChannel } from './upsert-channel.ts';

/** The most rows that one list answers; ask again from where it ended. */
export const maxListed = 10_000;

/** What the operations work on. */
export interface Stores {
  channels: ChannelStore;
  calls: CallStore;
  charges: ChargeStore;
  modelDays: ModelDayStore;
  budgetChanges: BudgetChangeStore;
  log: LogStore;
  collections: CollectionStore;
  transactions: TransactionStore;
  state: StateStore;
}

/** The stores of one database; prepares every statement. */
export function createStores(db: DatabaseSync): Stores {
  const channels = createChannelStore(db);
  return {
    channels,
    calls: createCallStore(db),
    charges: createChargeStore(db),
    modelDays: createModelDayStore(db),
    budgetChanges: createBudgetChangeStore(db),
    log: createLogStore(db),
    collections: createCollectionStore(db, channels),
    transactions: createTransactionStore(db),
    state: createStateStore(db),
  };
}

/** Every operation of the writer by name; each takes one argument and the context of its group. */
export function createOperations(stores: Stores) {
  const { channels, charges, budgetChanges, log, collections, transactions, state } = stores;
  return {
    reserve: createReserveCall(stores),
    charge: createChargeCall(stores),
    release: createReleaseCall(stores),
    sweep: createSweepReservations(stores),
    upsertChannel: createUpsertChannel(stores),
    getChannel: (channelId: Hex): ChannelState | undefined => channels.find(channelId),
    listChannels: ({ after, limit = maxListed }: { after?: Hex; limit?: number }): ChannelState[] =>
      channels.list(after, Math.min(limit, maxListed)),
    getSignedReceipt: (callId: string): SignedReceipt | undefined => charges.find(callId)?.signed,
    listEntries: ({ from, limit }: { from: number; limit: number }): LoggedEntry[] =>
      log.listEntries(from, Math.min(limit, maxListed)),
    lastBlock: () => log.lastBlock(),
    addBlock: createAddBlock(stores),
    anchoredSize: (): number => log.lastAnchor()?.size ?? 0,
    recordAnchor: createRecordAnchor(stores),
    findAnchorOf: (index: number) => log.findAnchorOf(index),
    findBlockOf: (index: number) => log.findBlockOf(index),
    listLeafHashes: ({ from, limit }: { from: number; limit: number }): Uint8Array[] =>
      log.listLeafHashes(from, Math.min(limit, maxListed)),
    findCharge: ({ channelId, sequence }: { channelId: Hex; sequence: number }) =>
      charges.findBySequence(channelId, sequence),
    findLastCharge: ({ channelId, belowIndex = Number.MAX_SAFE_INTEGER }: { channelId: Hex; belowIndex?: number }) =>
      charges.findLast(channelId, belowIndex),
    openCollection: createOpenCollection(stores),
    hasClosingDebt: (): boolean => channels.hasClosingDebt(),
    listOpenCollections: (): Collection[] =>
      collections.list('open', { limit: maxListed }).map((row) => collections.read(row)),
    finishCollection: createFinishCollection(stores),
    abandonCollection: createAbandonCollection(stores),
    listPendingBookings: createListPendingBookings(stores),
    finishBooking: createFinishBooking(stores),
    enqueueTransaction: createEnqueueTransaction(stores),
    finishTransaction: createFinishTransaction(stores),
    getTransaction: (purpose: string) => transactions.findByPurpose(purpose),
    listUnfinishedTransactions: () => transactions.listUnfinished(maxListed),
    nextNonce: () => transactions.nextNonce(),
    listBudgetChanges: ({ after }: { after?: ChangePlace }): BudgetChange[] => budgetChanges.list(after, maxListed),
    replaceBudgetChanges: (range: { from: number; to: number; changes: readonly BudgetChange[] }): void =>
      budgetChanges.replace(range),
    getState: (key: string) => state.get(key),
    setState: ({ key, value }: { key: string; value: string }) => state.set(key, value),
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
