import type { Hex } from '../../protocol/bytes/hex.ts';
import type { BackgroundLedger, QueuedTransaction } from '../ledger/background-ledger.ts';
import type { ChainClient } from './create-chain-client.ts';
import { findReceipt, type AccountView } from './read-account.ts';

/** What confirming works with. */
export interface ConfirmerOptions {
  client: ChainClient;
  ledger: Pick<BackgroundLedger, 'findTransaction'>;
  /** The account's, in lower case. */
  address: Hex;
  /** A success counts for good after this many further blocks. */
  confirmedAfterBlocks: number;
}

/** Looks once more at transactions that succeeded, when no reorganisation is to be feared any more. */
export interface Confirmer {
  /** Remembers a success; `blockNumber` is that of its block. */
  note(transaction: QueuedTransaction, blockNumber: bigint): void;
  /**
   * Those that are old enough by this view and did not succeed after all: in no block, or reverted in another one.
   * @throws AutoPayError `chain_unavailable`; what was not looked at is asked for again
   */
  findUndone(view: AccountView): Promise<QueuedTransaction[]>;
}

/** More successes than this are not remembered at once: the oldest are believed. */
const maxRemembered = 10_000;
/** So many are looked at by one question. */
const maxAtOnce = 32;
/** So many of an earlier process's are looked at again; the account has no more than this many in the blocks that may go. */
const maxRecalled = 64;

/** Makes a confirmer, which takes up the newest successes of an earlier process when it is first asked. */
export function createConfirmer(options: ConfirmerOptions): Confirmer {
  const { client, ledger, address } = options;
  const depth = BigInt(options.confirmedAfterBlocks);
  const waiting = new Map<number, { transaction: QueuedTransaction; blockNumber: bigint }>();
  let isRecalled = false;

  function note(transaction: QueuedTransaction, blockNumber: bigint): void {
    // Newest last, whatever it was before.
    waiting.delete(transaction.id);
    waiting.set(transaction.id, { transaction: { ...transaction, status: 'succeeded' }, blockNumber });
    const [oldest] = waiting.keys();
    if (waiting.size > maxRemembered && oldest !== undefined) waiting.delete(oldest);
  }

  /** In which blocks they are is not stored; none is above the present one. */
  async function recall({ blockNumber, nextNonce }: AccountView): Promise<void> {
    const first = Math.max(0, nextNonce - maxRecalled);
    for (let nonce = first; nonce < nextNonce; nonce += 1) {
      const transaction = await ledger.findTransaction({ account: address, nonce });
      if (transaction?.status === 'succeeded' && !waiting.has(transaction.id)) note(transaction, blockNumber);
    }
    isRecalled = true;
  }

  return {
    note,
    async findUndone(view) {
      if (!isRecalled) await recall(view);
      const due = [...waiting.values()].filter(({ blockNumber }) => blockNumber + depth <= view.blockNumber);
      const undone: QueuedTransaction[] = [];
      for (const { transaction } of due.slice(0, maxAtOnce)) {
        const receipt = await findReceipt(client, transaction.attempts);
        waiting.delete(transaction.id);
        if (receipt?.status !== 'success') undone.push(transaction);
      }
      return undone;
    },
  };
}
