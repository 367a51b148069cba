import { formatGwei, type TransactionReceipt } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { QueuedTransaction } from '../ledger/background-ledger.ts';
import { callChain } from './call-chain.ts';
import { chooseFees } from './choose-fees.ts';
import { signAttempt } from './sign-attempt.ts';
import { TransactionTracker, type TransactionTrackerOptions } from './track-transactions.ts';

export { isReverted } from './track-transactions.ts';

/** A call of one of our contracts, from the relay's account. */
export interface TransactionRequest {
  /** Names the job for ever, as in QueuedTransaction: a purpose that is queued or has succeeded is not sent again. */
  purpose: string;
  to: Hex;
  data: Hex;
  /** A call that needs more gas than this is not sent: where code of strangers runs, who pays for it? No bound by default. */
  maxGas?: bigint;
}

/** The one way in which the relay's account sends transactions. */
export interface TransactionQueue {
  /**
   * Sends a call, or takes up the one that was signed for this purpose earlier, and resolves once it has succeeded in a
   * block. Calls under way do not wait for each other: they are signed with consecutive nonces, and each caller waits for
   * its own. What the chain refuses when it is tried beforehand takes no nonce. A signed transaction MUST be durable before
   * it is broadcast, so a crash can never send a job twice.
   * @throws AutoPayError `transaction_reverted`: definitive, the chain changed nothing and nothing is under way.
   * Any other error (`chain_unavailable`, `transaction_failed`, `overloaded`) leaves the outcome open: call again with this
   * purpose.
   */
  send(request: TransactionRequest): Promise<TransactionReceipt>;
  /**
   * Waits for the transaction that was signed for a purpose earlier, and never signs one. Undefined if there is none, or it came
   * to nothing.
   * @throws AutoPayError as `send`
   */
  follow(purpose: string): Promise<TransactionReceipt | undefined>;
  /**
   * Broadcasts what nobody sees through, because an earlier process signed it, its caller gave up, or a reorganisation took it
   * out of its block, and waits for it. To be called at the start and now and then.
   */
  resume(): Promise<void>;
}

/** What the queue works with; of the times and bounds, what differs from the defaults. */
export type TransactionQueueOptions = Omit<TransactionTrackerOptions, keyof typeof defaults> & Partial<typeof defaults>;

const defaults = {
  pollingIntervalMs: 500,
  receiptTimeoutMs: 120_000,
  replacedAfterBlocks: 32,
  confirmedAfterBlocks: 512,
  replaceAfterMs: 30_000,
  rebroadcastAfterMs: 10_000,
  fillGapAfterMs: 10_000,
  maxFeePerGas: 100_000_000_000n,
  maxUnmined: 32,
};

/** Room for state that changes between estimate and execution. */
const gasMarginPercent = 30n;

/**
 * The durable queue of one account. Several on one ledger are serialised by it: each nonce is stored once. A relay of its
 * own, with another ledger, MUST NOT use the account: both would go on, each losing the nonces that the other was faster with.
 */
export function createTransactionQueue(given: TransactionQueueOptions): TransactionQueue {
  const options: TransactionTrackerOptions = { ...defaults, ...given };
  const { ledger } = options;
  const tracker = new TransactionTracker(options);
  const underWay = new Map<string, Promise<TransactionReceipt>>();
  let loading: Promise<void> | undefined;
  let lastSigning: Promise<unknown> = Promise.resolve();

  /** What an earlier process signed comes before anything new. */
  async function loadOnce(): Promise<void> {
    loading ??= tracker.load();
    await loading.catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
  }

  /** One after the other, so that the nonces follow each other. */
  function signInTurn(request: TransactionRequest, gas: bigint): Promise<QueuedTransaction> {
    const signing = lastSigning.then(() => signNext(options, tracker, { ...request, gas }));
    lastSigning = signing.catch(() => undefined);
    return signing;
  }

  async function send(request: TransactionRequest): Promise<TransactionReceipt> {
    await loadOnce();
    const earlier = await ledger.getTransaction(request.purpose);
    if (earlier !== undefined && earlier.status !== 'reverted') return tracker.wait(earlier);
    await tracker.reserve();
    let transaction: QueuedTransaction;
    try {
      transaction = await signInTurn(request, await estimate(options, request));
    } catch (error) {
      tracker.release();
      throw error;
    }
    tracker.add(transaction);
    return tracker.wait(transaction);
  }

  return {
    resume: () => tracker.waitForAll(),
    async follow(purpose) {
      await loadOnce();
      const earlier = await ledger.getTransaction(purpose);
      return earlier === undefined || earlier.status === 'reverted' ? undefined : tracker.wait(earlier);
    },
    send(request) {
      const { purpose } = request;
      const shared = underWay.get(purpose);
      if (shared !== undefined) return shared;
      const sending = send(request).finally(() => underWay.delete(purpose));
      underWay.set(purpose, sending);
      return sending;
    },
  };
}

/** Tries the call on the newest block, which surfaces a refusal before it costs anything. */
async function estimate(options: TransactionTrackerOptions, request: TransactionRequest): Promise<bigint> {
  const { purpose, to, data, maxGas } = request;
  const { address } = options.account;
  const gas = await callChain(`the transaction ${purpose}`, () =>
    options.client.estimateGas({ account: address, to, data }),
  );
  if (maxGas !== undefined && gas > maxGas) {
    const message = `The transaction ${purpose} needs ${gas} gas, more than ${maxGas}: it is not sent.`;
    throw new AutoPayError('transaction_reverted', message, { facts: { contractError: 'GasLimitExceeded' } });
  }
  return (gas * (100n + gasMarginPercent)) / 100n;
}

/** Signs with the account's next nonce, and makes that durable. */
async function signNext(
  options: TransactionTrackerOptions,
  tracker: TransactionTracker,
  { purpose, to, data, gas }: TransactionRequest & { gas: bigint },
): Promise<QueuedTransaction> {
  const { ledger, log, maxFeePerGas: cap } = options;
  const account = options.account.address.toLowerCase() as Hex;
  while (true) {
    const view = await tracker.view();
    const fees = chooseFees({ ...view, cap });
    if (fees === undefined) {
      throw new AutoPayError(
        'transaction_failed',
        `The base fee of ${formatGwei(view.baseFee)} gwei is above the relay's limit of ${formatGwei(cap)}: ${purpose} is not sent. Raise chain.transactions.maxFeePerGasGwei, or wait.`,
      );
    }
    // The chain is ahead if the account was used elsewhere, the queue if its last transactions wait for a block.
    const nonce = Math.max(view.nextNonce, (await ledger.nextNonce(account)) ?? 0);
    const attempt = await signAttempt(options, { nonce, to, data, gas }, fees);
    const transaction = await ledger.enqueueTransaction({ purpose, account, nonce, attempt });
    // Taken by another queue of this account: its nonce is in the ledger, so the next one is free.
    if (transaction === undefined) continue;
    log.info({ purpose, nonce, hash: attempt.hash }, 'sending a transaction');
    return transaction;
  }
}
