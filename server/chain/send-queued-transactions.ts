import { setTimeout as sleep } from 'node:timers/promises';
import type { PrivateKeyAccount, TransactionReceipt } from 'viem';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { keccak256 } from '../../protocol/bytes/keccak256.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger, QueuedTransaction } from '../ledger/background-ledger.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';

/** A call of one of our contracts, from the relay's account. */
export interface TransactionRequest {
  /** Names the job for ever, as in QueuedTransaction: a purpose that is queued or has succeeded is not sent again. */
  purpose: string;
  to: Hex;
  data: Hex;
}

/** The one way in which the relay's account sends transactions. */
export interface TransactionQueue {
  /**
   * Sends a call, or takes up the one that was signed for this purpose earlier, and resolves once it has succeeded in a
   * block. The signed transaction MUST be durable before it is broadcast, so a crash can never send a job twice.
   * @throws AutoPayError `transaction_reverted`: definitive, the chain changed nothing and nothing is under way.
   * Any other error (`chain_unavailable`, `transaction_failed`) leaves the outcome open: call again with this purpose.
   */
  send(request: TransactionRequest): Promise<TransactionReceipt>;
  /** Broadcasts what an earlier process signed and did not see through, in the order of its nonces, and waits for it. */
  resume(): Promise<void>;
}

/** What the queue works with. */
export interface TransactionQueueOptions {
  client: ChainClient;
  ledger: BackgroundLedger;
  account: PrivateKeyAccount;
  chainId: number;
  log: JobLog;
  /** Ends waiting; what was signed stays in the ledger. */
  signal?: AbortSignal;
  /** How long one call of `send` waits for its block. */
  receiptTimeoutMs?: number;
  pollingIntervalMs?: number;
  /** A nonce that another transaction used counts as lost after this many further blocks. */
  replacedAfterBlocks?: number;
}

/** More jobs than this never wait for the account; a later interval finds their work again. */
const maxWaiting = 64;
/** Room for state that changes between estimate and execution. */
const gasMarginPercent = 30n;
/** A cap, not a price: it lets a signed transaction outlive a rise of the base fee, because it cannot be changed. */
const baseFeeMultiple = 8n;
const rebroadcastAfterMs = 10_000;

/** The durable queue of one account. There MUST be one for each account: its mutex keeps the nonces in order. */
export function createTransactionQueue(options: TransactionQueueOptions): TransactionQueue {
  const { ledger, log } = options;
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  function exclusively<T>(action: () => Promise<T>): Promise<T> {
    if (waiting >= maxWaiting) {
      throw new AutoPayError('overloaded', 'Too many transactions wait for the relay account. Try again later.');
    }
    waiting += 1;
    const result = tail.then(action);
    tail = result.catch(() => undefined).finally(() => (waiting -= 1));
    return result;
  }

  async function resumeUnfinished(except?: string): Promise<void> {
    const unfinished = await ledger.listUnfinishedTransactions();
    for (const transaction of unfinished.toSorted((a, b) => a.nonce - b.nonce)) {
      if (transaction.purpose === except) return;
      try {
        await seeThrough(options, transaction);
      } catch (error) {
        // Its own job learns of the revert when it comes back; the nonces behind it are free to go.
        if (!isReverted(error)) throw error;
        log.warn({ purpose: transaction.purpose, hash: transaction.hash }, 'an earlier transaction reverted');
      }
    }
  }

  return {
    resume: async () => exclusively(() => resumeUnfinished()),
    send: async (request) =>
      exclusively(async () => {
        await resumeUnfinished(request.purpose);
        const earlier = await ledger.getTransaction(request.purpose);
        if (earlier !== undefined && earlier.status !== 'reverted') return seeThrough(options, earlier);
        const transaction = await ledger.enqueueTransaction(await signNext(options, request));
        log.info(
          { purpose: request.purpose, nonce: transaction.nonce, hash: transaction.hash },
          'sending a transaction',
        );
        return seeThrough(options, transaction);
      }),
  };
}

/** Estimates, which surfaces a refusal before it costs anything, and signs with the next nonce. */
async function signNext(
  options: TransactionQueueOptions,
  request: TransactionRequest,
): Promise<Pick<QueuedTransaction, 'purpose' | 'nonce' | 'hash' | 'raw'>> {
  const { client, ledger, account, chainId } = options;
  const { purpose, to, data } = request;
  return callChain(`the transaction ${purpose}`, async () => {
    const estimate = await client.estimateGas({ account: account.address, to, data });
    const [block, priorityFee, used, queued] = await Promise.all([
      client.getBlock(),
      client.estimateMaxPriorityFeePerGas(),
      client.getTransactionCount({ address: account.address }),
      ledger.nextNonce(),
    ]);
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId,
      // The chain is ahead if the account was used elsewhere, the queue if its last transactions wait for a block.
      nonce: Math.max(used, queued ?? 0),
      to,
      data,
      gas: (estimate * (100n + gasMarginPercent)) / 100n,
      maxPriorityFeePerGas: priorityFee,
      maxFeePerGas: (block.baseFeePerGas ?? 0n) * baseFeeMultiple + priorityFee,
    });
    return { purpose, nonce: Math.max(used, queued ?? 0), hash: toHex(keccak256(fromHex(raw))), raw };
  });
}

/** Broadcasts until the transaction is in a block, and stores how it ended. */
async function seeThrough(
  options: TransactionQueueOptions,
  transaction: QueuedTransaction,
): Promise<TransactionReceipt> {
  const { ledger, signal, receiptTimeoutMs = 120_000, pollingIntervalMs = 500 } = options;
  const deadline = Date.now() + receiptTimeoutMs;
  let broadcastAtMs = Number.NEGATIVE_INFINITY;
  while (true) {
    const receipt = await findReceipt(options, transaction.hash);
    if (receipt !== undefined) return finish(options, transaction, receipt);
    if (await isReplaced(options, transaction)) {
      await ledger.finishTransaction({ id: transaction.id, status: 'reverted' });
      throw new AutoPayError(
        'transaction_reverted',
        `Another transaction used nonce ${transaction.nonce} instead of ${transaction.purpose}. Use the relay's key nowhere else.`,
      );
    }
    if (Date.now() - broadcastAtMs >= rebroadcastAfterMs) {
      await broadcast(options, transaction);
      broadcastAtMs = Date.now();
      continue;
    }
    if (Date.now() > deadline || signal?.aborted === true) {
      throw new AutoPayError(
        'chain_unavailable',
        `Transaction ${transaction.hash} (${transaction.purpose}) is in no block yet. It stays queued and is taken up again.`,
      );
    }
    await sleep(pollingIntervalMs, undefined, { signal }).catch(() => undefined);
  }
}

async function finish(
  { ledger, log }: TransactionQueueOptions,
  transaction: QueuedTransaction,
  receipt: TransactionReceipt,
): Promise<TransactionReceipt> {
  const { id, purpose, hash } = transaction;
  const status = receipt.status === 'success' ? 'succeeded' : 'reverted';
  const isNews = transaction.status === 'signed';
  if (isNews) await ledger.finishTransaction({ id, status });
  if (status === 'succeeded') {
    const facts = { purpose, hash, gasUsed: Number(receipt.gasUsed), block: Number(receipt.blockNumber) };
    if (isNews) log.info(facts, 'a transaction succeeded');
    return receipt;
  }
  throw new AutoPayError(
    'transaction_reverted',
    `Transaction ${hash} (${purpose}) reverted. See it in a block explorer.`,
  );
}

function findReceipt({ client }: TransactionQueueOptions, hash: Hex): Promise<TransactionReceipt | undefined> {
  return callChain(`the receipt of ${hash}`, () =>
    client.getTransactionReceipt({ hash }).catch((error: unknown) => {
      if (error instanceof Error && error.name === 'TransactionReceiptNotFoundError') return undefined;
      throw error;
    }),
  );
}

/** Whether the nonce was used by something else, deep enough in the chain that no lagging node explains it. */
async function isReplaced(options: TransactionQueueOptions, transaction: QueuedTransaction): Promise<boolean> {
  const { client, account, replacedAfterBlocks = 32 } = options;
  return callChain(`nonce ${transaction.nonce} of the relay's account`, async () => {
    const address = account.address;
    if ((await client.getTransactionCount({ address })) <= transaction.nonce) return false;
    const blockNumber = (await client.getBlockNumber()) - BigInt(replacedAfterBlocks);
    if (blockNumber < 0n || (await client.getTransactionCount({ address, blockNumber })) <= transaction.nonce)
      return false;
    return (await findReceipt(options, transaction.hash)) === undefined;
  });
}

async function broadcast(options: TransactionQueueOptions, transaction: QueuedTransaction): Promise<void> {
  const { client, account } = options;
  const { raw, hash, purpose } = transaction;
  try {
    await client.sendRawTransaction({ serializedTransaction: raw });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : '';
    if (/already known|known transaction|nonce too low|already imported/i.test(text)) return;
    // Some nodes answer with an error although they took it (it failed in its block): the receipt decides.
    if ((await findReceipt(options, hash)) !== undefined) return;
    if (/insufficient funds|doesn't have enough funds/i.test(text)) {
      throw new AutoPayError(
        'transaction_failed',
        `The relay's account ${account.address} cannot pay for gas. Send it ether.`,
        { cause },
      );
    }
    throw new AutoPayError(
      'chain_unavailable',
      `The endpoint did not take ${purpose} (${hash}). It stays queued and is taken up again.`,
      { cause },
    );
  }
}

/** Whether an error of `send` means that nothing happened and nothing is under way. */
export function isReverted(error: unknown): error is AutoPayError {
  return error instanceof AutoPayError && error.code === 'transaction_reverted';
}
