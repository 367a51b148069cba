import type { TransactionReceipt } from 'viem';
import type { QueuedTransaction } from '../ledger/background-ledger.ts';

/** A transaction that is followed. */
export interface TrackedTransaction {
  transaction: QueuedTransaction;
  waiters: Set<Waiter>;
  /** Unix milliseconds of its next broadcast. */
  dueAtMs: number;
  isOnItsWay: boolean;
  /** Broadcasts in a row that came to nothing. */
  failures: number;
  /** Whether the node wants more for it. */
  isCheap: boolean;
  /** Whether it was said that it waits for the fees to fall. */
  isCapTold: boolean;
}

/** Somebody who waits for the outcome of a transaction. */
export interface Waiter {
  deadlineMs: number;
  resolve: (receipt: TransactionReceipt) => void;
  reject: (error: unknown) => void;
}

/** Tells all who wait for a transaction that they need not. */
export function tellWaiters({ waiters }: TrackedTransaction, error: unknown): void {
  for (const waiter of waiters) waiter.reject(error);
  waiters.clear();
}
