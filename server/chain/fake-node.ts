import { keccak256, parseTransaction, TransactionReceiptNotFoundError, type TransactionSerializedEIP1559 } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChainClient } from './create-chain-client.ts';

interface PooledTransaction {
  raw: Hex;
  hash: Hex;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

interface FakeBlock {
  transactions: { nonce: number; hash: Hex; status: 'success' | 'reverted' }[];
}

/**
 * A chain with one account, in memory: a pool that keeps what it is given in any order, blocks on demand, and every fault
 * that a real node has been seen to have. It stands in for nodes whose faults cannot be asked for; what a node does when all
 * is well, the tests ask a real one.
 */
export class FakeNode {
  /** Wei per gas. */
  baseFee = 1_000_000_000n;
  priorityFee = 1_000_000n;
  /** Whether and how a broadcast fails, instead of being taken. */
  onBroadcast: (nonce: number, count: number) => string | undefined = () => undefined;
  /** Whether the answer to a broadcast is lost, although the transaction was taken. */
  losesAnswer: (nonce: number) => boolean = () => false;
  /** How many blocks what is asked for lags behind. */
  lagBlocks = 0;
  isAway = false;
  refuses: (data: Hex | undefined) => boolean = () => false;
  /** Raw transactions in the order in which they came, refused ones too. */
  readonly broadcasts: { nonce: number; hash: Hex }[] = [];
  /** Requests by method. */
  readonly requests = new Map<string, number>();
  readonly pool = new Map<number, PooledTransaction>();
  #blocks: FakeBlock[] = [];

  get nextNonce(): number {
    return this.#countAt(this.#blocks.length);
  }

  /** Hashes of the transactions in blocks, in their order. */
  get mined(): Hex[] {
    return this.#blocks.flatMap(({ transactions }) => transactions.map(({ hash }) => hash));
  }

  /** Makes a block of what the pool has next in line and pays the base fee. */
  mine(most = Number.POSITIVE_INFINITY, status: 'success' | 'reverted' = 'success'): number {
    const transactions: FakeBlock['transactions'] = [];
    for (let nonce = this.nextNonce; transactions.length < most; nonce += 1) {
      const next = this.pool.get(nonce);
      if (next === undefined || next.maxFeePerGas < this.baseFee) break;
      this.pool.delete(nonce);
      transactions.push({ nonce, hash: next.hash, status });
    }
    this.#blocks.push({ transactions });
    return transactions.length;
  }

  /** Makes a block with the transaction of this hash, whatever the pool has. */
  mineHash(nonce: number, hash: Hex, status: 'success' | 'reverted' = 'success'): void {
    this.pool.delete(nonce);
    this.#blocks.push({ transactions: [{ nonce, hash, status }] });
  }

  /** Somebody else uses the next nonce. */
  useNonce(): void {
    this.mineHash(this.nextNonce, keccak256(`0x${this.#blocks.length.toString(16).padStart(4, '0')}`));
  }

  /** Takes the newest blocks away; what was in them is nowhere any more. */
  reorganise(blocks: number): void {
    this.#blocks = this.#blocks.slice(0, -blocks);
  }

  /** The node was restarted: its pool is empty. */
  forgetPool(): void {
    this.pool.clear();
  }

  /** What the queue asks, as viem's client answers it. */
  client(): ChainClient {
    const answers = {
      estimateGas: ({ data }: { data?: Hex }) => {
        if (this.refuses(data)) throw new ExecutionReverted();
        return 50_000n;
      },
      getBlock: () => ({ number: BigInt(this.#head()), baseFeePerGas: this.baseFee }),
      estimateMaxPriorityFeePerGas: () => this.priorityFee,
      getTransactionCount: ({ blockNumber }: { blockNumber?: bigint }) =>
        this.#countAt(blockNumber === undefined ? this.#head() : Number(blockNumber)),
      getTransactionReceipt: ({ hash }: { hash: Hex }) => this.#receiptOf(hash),
      sendRawTransaction: ({ serializedTransaction: raw }: { serializedTransaction: Hex }) => this.#take(raw),
    };
    const counted = Object.entries(answers).map(([method, answer]) => [
      method,
      async (argument: never) => {
        this.requests.set(method, (this.requests.get(method) ?? 0) + 1);
        await Promise.resolve();
        if (this.isAway) throw new Error('the node is away');
        return (answer as (argument: never) => unknown)(argument);
      },
    ]);
    return Object.fromEntries(counted) as ChainClient;
  }

  #head(): number {
    return Math.max(0, this.#blocks.length - this.lagBlocks);
  }

  #countAt(height: number): number {
    const nonces = this.#blocks.slice(0, height).flatMap(({ transactions }) => transactions.map(({ nonce }) => nonce));
    return nonces.length === 0 ? 0 : Math.max(...nonces) + 1;
  }

  #receiptOf(hash: Hex) {
    for (const [at, { transactions }] of this.#blocks.slice(0, this.#head()).entries()) {
      const found = transactions.find((transaction) => transaction.hash === hash);
      if (found === undefined) continue;
      return { status: found.status, transactionHash: hash, gasUsed: 40_000n, blockNumber: BigInt(at + 1) };
    }
    throw new TransactionReceiptNotFoundError({ hash });
  }

  #take(raw: Hex): Hex {
    const parsed = parseTransaction(raw as TransactionSerializedEIP1559);
    const { nonce = 0, maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = parsed;
    const hash = keccak256(raw);
    const before = this.broadcasts.filter((broadcast) => broadcast.nonce === nonce).length;
    this.broadcasts.push({ nonce, hash });
    const fault = this.onBroadcast(nonce, before);
    if (fault !== undefined) throw new Error(fault);
    if (nonce < this.nextNonce) throw new Error('nonce too low');
    const pooled = this.pool.get(nonce);
    if (pooled?.hash === hash) throw new Error('already known');
    // As geth: both fees a tenth higher.
    const least = (fee: bigint) => (fee * 110n) / 100n;
    const isDearer =
      pooled === undefined ||
      (maxFeePerGas >= least(pooled.maxFeePerGas) && maxPriorityFeePerGas >= least(pooled.maxPriorityFeePerGas));
    if (!isDearer) throw new Error('replacement transaction underpriced');
    this.pool.set(nonce, { raw, hash, maxFeePerGas, maxPriorityFeePerGas });
    if (this.losesAnswer(nonce)) throw new Error('socket hang up');
    return hash;
  }
}

/** As viem names it. */
class ExecutionReverted extends Error {
  override name = 'ExecutionRevertedError';
}
