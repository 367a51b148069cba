import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionReceipt } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger, QueuedTransaction } from '../ledger/background-ledger.ts';
import { createTrackedBroadcaster, maxFailures } from './broadcast-tracked.ts';
import { createConfirmer, type Confirmer } from './confirm-transactions.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';
import { createGapMender } from './mend-gap.ts';
import { findReceipt, isNonceBuried, readAccount, type AccountView } from './read-account.ts';
import { createFeeRaiser } from './raise-stuck.ts';
import type { TransactionSigner } from './sign-attempt.ts';
import { SigningPlaces } from './signing-places.ts';
import { tellWaiters, type TrackedTransaction, type Waiter } from './tracked-transaction.ts';

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
  /** A success is looked at again after this many further blocks, when no reorganisation takes it back any more. */
  confirmedAfterBlocks: number;
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

const viewLifetimeMs = 1_000;

/** Sees the signed transactions of one account through: one loop for all, which runs while somebody waits. */
export class TransactionTracker {
  readonly #options: TransactionTrackerOptions;
  readonly #address: Hex;
  readonly #tracked = new Map<number, TrackedTransaction>();
  readonly #mendGap: ReturnType<typeof createGapMender>;
  readonly #raiseStuck: ReturnType<typeof createFeeRaiser>;
  readonly #places: SigningPlaces;
  readonly #broadcastDue: () => void;
  readonly #confirmer: Confirmer;
  #view: AccountView | undefined;
  #failures = 0;
  #isRunning = false;

  constructor(options: TransactionTrackerOptions) {
    this.#options = options;
    this.#address = options.account.address.toLowerCase() as Hex;
    this.#mendGap = createGapMender({ ...options, address: this.#address });
    this.#raiseStuck = createFeeRaiser(options);
    const taken = () => this.#tracked.size;
    this.#places = new SigningPlaces({ most: options.maxUnmined, waitMs: options.receiptTimeoutMs, taken });
    this.#confirmer = createConfirmer({ ...options, address: this.#address });
    this.#broadcastDue = createTrackedBroadcaster({
      ...{ ...options, address: options.account.address, tracked: this.#tracked },
      onStuck: (error) => this.#tellAll(error),
    });
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
    const place = this.#places.reserve();
    if (this.#places.isAwaited) this.#run();
    return place;
  }

  release(): void {
    this.#places.release();
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
    this.#view = await readAccount(this.#options.client, this.#address);
    await this.#followLost(this.#view);
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

  #isAwaited(): boolean {
    return this.#places.isAwaited || [...this.#tracked.values()].some(({ waiters }) => waiters.size > 0);
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
    const undone = await this.#confirmer.findUndone(view);
    for (const { nonce, purpose } of undone) {
      const facts = { account: this.#address, nonce, purpose };
      this.#options.log.warn(facts, 'a reorganisation took back a transaction that had succeeded');
    }
    for (const transaction of [...lost, ...undone]) this.#track(transaction);
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
      return tellWaiters(tracked, new AutoPayError('transaction_reverted', message));
    }
    const facts = { purpose, hash, gasUsed: Number(receipt.gasUsed), block: Number(receipt.blockNumber) };
    log.info(facts, 'a transaction succeeded');
    this.#confirmer.note(tracked.transaction, receipt.blockNumber);
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
    tellWaiters(tracked, new AutoPayError('transaction_reverted', message));
  }

  #forget(tracked: TrackedTransaction): void {
    this.#tracked.delete(tracked.transaction.id);
    this.#places.admit();
  }

  /** Everybody who waits learns of a failure of the whole; what was signed stays queued. */
  #tellAll(error: unknown): void {
    for (const tracked of this.#tracked.values()) tellWaiters(tracked, error);
    this.#places.rejectAll(error);
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
    this.#places.expire(now);
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
