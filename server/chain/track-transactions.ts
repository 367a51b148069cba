import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionReceipt } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger, QueuedTransaction, TransactionAttempt } from '../ledger/background-ledger.ts';
import { broadcastInOrder, broadcastTransaction, type BroadcastAnswer } from './broadcast-transactions.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';
import { createGapMender } from './mend-gap.ts';
import { findReceipt, isNonceBuried, readAccount, type AccountView } from './read-account.ts';
import { createFeeRaiser } from './raise-stuck.ts';
import type { TransactionSigner } from './sign-attempt.ts';

/** What following transactions works with. */
export interface TransactionTrackerOptions extends TransactionSigner {
  client: ChainClient;
  ledger: BackgroundLedger;
  log: JobLog;
  /** Ends all waiting; what was signed stays in the ledger. */
  signal?: AbortSignal | undefined;
  /** How often the chain is asked how far the account is: one question, however many transactions wait. */
  pollingIntervalMs: number;
  /** How long each caller waits for its block. */
  receiptTimeoutMs: number;
  /** A nonce that something else used counts as lost after this many further blocks. */
  replacedAfterBlocks: number;
  /** The next transaction in line is signed anew, with higher fees, after so long. */
  replaceAfterMs: number;
  /** What no block has is broadcast again after so long: nodes drop and forget. */
  rebroadcastAfterMs: number;
  /** A nonce that no transaction has, and that holds up others, is used after so long. */
  fillGapAfterMs: number;
  /** The most that is offered for a unit of gas, wei. */
  maxFeePerGas: bigint;
  /** How many transactions may be signed and in no block. */
  maxUnmined: number;
}

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

interface Waiter {
  deadlineMs: number;
  resolve: (receipt: TransactionReceipt) => void;
  reject: (error: unknown) => void;
}

/** More jobs than this never wait to be signed; a later interval finds their work again. */
const maxWaiting = 1_024;
/** So often in a row may the chain, the ledger or a broadcast fail before those who wait are told. */
const maxFailures = 3;
const viewLifetimeMs = 1_000;

/** Sees the signed transactions of one account through: one loop for all, which runs while somebody waits. */
export class TransactionTracker {
  readonly #options: TransactionTrackerOptions;
  readonly #address: Hex;
  readonly #tracked = new Map<number, TrackedTransaction>();
  readonly #mendGap: ReturnType<typeof createGapMender>;
  readonly #raiseStuck: ReturnType<typeof createFeeRaiser>;
  /** Callers that may not sign yet. */
  #queue: { deadlineMs: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #reserved = 0;
  #view: AccountView | undefined;
  #failures = 0;
  #isRunning = false;
  #isBroadcasting = false;

  constructor(options: TransactionTrackerOptions) {
    this.#options = options;
    this.#address = options.account.address.toLowerCase() as Hex;
    this.#mendGap = createGapMender({ ...options, address: this.#address });
    this.#raiseStuck = createFeeRaiser(options);
    options.signal?.addEventListener('abort', () => this.#tellAll(stopping()), { once: true });
  }

  /** Follows what the ledger has unfinished. */
  async load(): Promise<void> {
    for (const transaction of await this.#options.ledger.listUnfinishedTransactions(this.#address)) {
      this.#track(transaction);
    }
  }

  /** How far the account is, at most a second ago. */
  async view(): Promise<AccountView> {
    if (this.#view !== undefined && Date.now() - this.#view.atMs < viewLifetimeMs) return this.#view;
    return (this.#view = await readAccount(this.#options.client, this.#address));
  }

  /** Resolves when one more transaction may be signed; `release` or `add` gives the place back. */
  reserve(): Promise<void> {
    if (this.#options.signal?.aborted === true) return Promise.reject(stopping());
    if (this.#hasRoom()) {
      this.#reserved += 1;
      return Promise.resolve();
    }
    if (this.#queue.length >= maxWaiting) {
      const message = 'Too many transactions wait for the relay account. Try again later.';
      return Promise.reject(new AutoPayError('overloaded', message));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ deadlineMs: Date.now() + this.#options.receiptTimeoutMs, resolve, reject });
      this.#run();
    });
  }

  release(): void {
    this.#reserved -= 1;
    this.#admit();
  }

  /** Broadcasts a transaction that is durable, in the place that was reserved for it. */
  add(transaction: QueuedTransaction): void {
    this.#track(transaction);
    this.release();
    this.#broadcastDue();
  }

  /** Resolves with the receipt of its success. Errors as of `TransactionQueue.send`. */
  async wait(transaction: QueuedTransaction): Promise<TransactionReceipt> {
    if (transaction.status === 'succeeded') {
      const receipt = await findReceipt(this.#options.client, transaction.attempts);
      if (receipt?.status === 'success') return receipt;
    }
    const { waiters } = this.#track(transaction);
    return new Promise((resolve, reject) => {
      const waiter = { deadlineMs: Date.now() + this.#options.receiptTimeoutMs, resolve, reject };
      if (this.#options.signal?.aborted === true) return reject(stopping());
      waiters.add(waiter);
      this.#run();
    });
  }

  /** Waits for all that has no outcome, and for what a reorganisation or a restarted node has lost. */
  async waitForAll(): Promise<void> {
    await this.load();
    await this.#followLost(await this.view());
    const waiting = [...this.#tracked.values()].map(({ transaction }) => this.wait(transaction));
    const failed = (await Promise.allSettled(waiting)).find(
      // Its own job learns of a revert when it comes back.
      (result) => result.status === 'rejected' && !isReverted(result.reason),
    );
    if (failed?.status === 'rejected') throw failed.reason;
  }

  #track(transaction: QueuedTransaction): TrackedTransaction {
    const known = this.#tracked.get(transaction.id);
    if (known !== undefined) return known;
    const waiters = new Set<Waiter>();
    const state = { dueAtMs: 0, isOnItsWay: false, failures: 0, isCheap: false, isCapTold: false };
    const tracked = { transaction, waiters, ...state };
    this.#tracked.set(transaction.id, tracked);
    return tracked;
  }

  #hasRoom(): boolean {
    return this.#tracked.size + this.#reserved < this.#options.maxUnmined;
  }

  /** Lets the next caller sign, in the order in which they came. */
  #admit(): void {
    while (this.#queue.length > 0 && this.#hasRoom()) {
      this.#reserved += 1;
      this.#queue.shift()?.resolve();
    }
  }

  #isAwaited(): boolean {
    return this.#queue.length > 0 || [...this.#tracked.values()].some(({ waiters }) => waiters.size > 0);
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#loop();
  }

  async #loop(): Promise<void> {
    const { signal, pollingIntervalMs } = this.#options;
    while (this.#isAwaited()) {
      await this.#look();
      this.#expire();
      if (!this.#isAwaited()) break;
      await sleep(pollingIntervalMs, undefined, { signal }).catch(() => undefined);
    }
    this.#isRunning = false;
  }

  /** One look at the account. Never throws. */
  async #look(): Promise<void> {
    try {
      const view = await readAccount(this.#options.client, this.#address);
      this.#view = view;
      await this.#finishUsed(view);
      await this.#followLost(view);
      await this.#raiseStuck(this.#unmined(view), view);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      if (this.#failures >= maxFailures) {
        this.#failures = 0;
        this.#tellAll(error);
      }
    }
    this.#broadcastDue();
  }

  /** By nonce, those that no block has. */
  #unmined(view: AccountView): TrackedTransaction[] {
    return [...this.#tracked.values()]
      .filter(({ transaction }) => transaction.nonce >= view.nextNonce)
      .sort((a, b) => a.transaction.nonce - b.transaction.nonce);
  }

  async #followLost(view: AccountView): Promise<void> {
    const lost = await this.#mendGap(view, this.#unmined(view)[0]?.transaction.nonce);
    for (const transaction of lost) this.#track(transaction);
  }

  /** Records how those ended whose nonces are used. */
  async #finishUsed(view: AccountView): Promise<void> {
    const used = [...this.#tracked.values()].filter(({ transaction }) => transaction.nonce < view.nextNonce);
    await Promise.all(
      used.map(async (tracked) => {
        const { client, replacedAfterBlocks: blocks } = this.#options;
        const { nonce, attempts } = tracked.transaction;
        const receipt = await findReceipt(client, attempts);
        if (receipt !== undefined) return this.#finish(tracked, receipt);
        if (!(await isNonceBuried(client, { address: this.#address, nonce, view, blocks }))) return;
        const late = await findReceipt(client, attempts);
        await (late === undefined ? this.#giveUp(tracked) : this.#finish(tracked, late));
      }),
    );
  }

  async #finish(tracked: TrackedTransaction, receipt: TransactionReceipt): Promise<void> {
    const { ledger, log } = this.#options;
    const { id, purpose, status: before } = tracked.transaction;
    const status = receipt.status === 'success' ? 'succeeded' : 'reverted';
    const hash = receipt.transactionHash;
    if (before !== status) await ledger.finishTransaction({ id, status });
    this.#forget(tracked);
    if (status === 'reverted') {
      const message = `Transaction ${hash} (${purpose}) reverted. See it in a block explorer.`;
      log.warn({ purpose, hash }, 'a transaction reverted');
      return this.#tell(tracked, new AutoPayError('transaction_reverted', message));
    }
    const facts = { purpose, hash, gasUsed: Number(receipt.gasUsed), block: Number(receipt.blockNumber) };
    log.info(facts, 'a transaction succeeded');
    for (const waiter of tracked.waiters) waiter.resolve(receipt);
  }

  /** Something else has its nonce, for good. */
  async #giveUp(tracked: TrackedTransaction): Promise<void> {
    const { id, purpose, nonce } = tracked.transaction;
    await this.#options.ledger.finishTransaction({ id, status: 'reverted' });
    this.#forget(tracked);
    const facts = { purpose, nonce, account: this.#address };
    this.#options.log.error(facts, 'another transaction used a nonce of the relay account; use its key nowhere else');
    const message = `Another transaction used nonce ${nonce} instead of ${purpose}. Use the relay's key nowhere else.`;
    this.#tell(tracked, new AutoPayError('transaction_reverted', message));
  }

  #forget(tracked: TrackedTransaction): void {
    this.#tracked.delete(tracked.transaction.id);
    this.#admit();
  }

  #tell({ waiters }: TrackedTransaction, error: unknown): void {
    for (const waiter of waiters) waiter.reject(error);
    waiters.clear();
  }

  /** Everybody who waits learns of a failure of the whole; what was signed stays queued. */
  #tellAll(error: unknown): void {
    for (const tracked of this.#tracked.values()) this.#tell(tracked, error);
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  #expire(): void {
    const now = Date.now();
    for (const { transaction, waiters } of this.#tracked.values()) {
      for (const waiter of waiters) {
        if (waiter.deadlineMs > now) continue;
        waiters.delete(waiter);
        waiter.reject(stillQueued(transaction));
      }
    }
    const late = this.#queue.filter(({ deadlineMs }) => deadlineMs <= now);
    this.#queue = this.#queue.filter(({ deadlineMs }) => deadlineMs > now);
    const message = `${this.#tracked.size} transactions of the relay's account are in no block: nothing more is signed. Try again later.`;
    for (const { reject } of late) reject(new AutoPayError('chain_unavailable', message));
  }

  #broadcastDue(): void {
    if (this.#isBroadcasting) return;
    this.#isBroadcasting = true;
    void this.#broadcastAll();
  }

  async #broadcastAll(): Promise<void> {
    while (true) {
      const now = Date.now();
      const due = [...this.#tracked.values()].filter(({ dueAtMs, isOnItsWay }) => !isOnItsWay && dueAtMs <= now);
      if (due.length === 0) break;
      await broadcastInOrder(
        due.map((tracked) => ({ nonce: tracked.transaction.nonce, send: () => this.#broadcast(tracked) })),
      );
    }
    this.#isBroadcasting = false;
  }

  /** @returns whether the node wants lower nonces first */
  async #broadcast(tracked: TrackedTransaction): Promise<boolean> {
    const { client, rebroadcastAfterMs, pollingIntervalMs } = this.#options;
    const newest = tracked.transaction.attempts.at(-1);
    if (newest === undefined || tracked.isOnItsWay || !this.#tracked.has(tracked.transaction.id)) return false;
    tracked.isOnItsWay = true;
    tracked.dueAtMs = Date.now() + rebroadcastAfterMs;
    const answer = await broadcastTransaction(client, newest.raw);
    tracked.isOnItsWay = false;
    tracked.isCheap = answer.kind === 'cheap';
    const isFine = answer.kind === 'taken' || answer.kind === 'used';
    // A replacement that was signed meanwhile is due already.
    if (!isFine) tracked.dueAtMs = Math.min(tracked.dueAtMs, Date.now() + pollingIntervalMs);
    tracked.failures = answer.kind === 'failed' ? tracked.failures + 1 : 0;
    this.#judgeBroadcast(tracked, answer, newest);
    return answer.kind === 'early';
  }

  #judgeBroadcast(tracked: TrackedTransaction, answer: BroadcastAnswer, { hash }: TransactionAttempt): void {
    const { transaction } = tracked;
    if (answer.kind === 'poor') {
      // What stands before may still be paid for; nothing behind the first one is mined without it.
      const lowest = Math.min(...[...this.#tracked.values()].map((other) => other.transaction.nonce));
      if (transaction.nonce > lowest) return;
      const message = `The relay's account ${this.#options.account.address} cannot pay for gas. Send it ether.`;
      return this.#tellAll(new AutoPayError('transaction_failed', message, { cause: answer.cause }));
    }
    if (answer.kind !== 'failed' || tracked.failures < maxFailures) return;
    tracked.failures = 0;
    const message = `The endpoint did not take ${transaction.purpose} (${hash}). It stays queued and is taken up again.`;
    this.#tell(tracked, new AutoPayError('chain_unavailable', message, { cause: answer.cause }));
  }
}

/** Whether an error of the queue means that nothing happened and nothing is under way. */
export function isReverted(error: unknown): error is AutoPayError {
  return error instanceof AutoPayError && error.code === 'transaction_reverted';
}

function stillQueued({ purpose, attempts }: QueuedTransaction): AutoPayError {
  const message = `Transaction ${attempts.at(-1)?.hash} (${purpose}) is in no block yet. It stays queued and is taken up again.`;
  return new AutoPayError('chain_unavailable', message);
}

function stopping(): AutoPayError {
  return new AutoPayError(
    'chain_unavailable',
    'The relay is stopping; what was signed is taken up after its next start.',
  );
}
