import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { QueuedTransaction, TransactionStatus } from '../background-ledger.ts';
import type { TransactionStore } from '../transaction-store.ts';

/**
 * Stores a signed transaction before it is sent. If its purpose has one already that did not revert, that one is
 * returned and nothing is stored: a job is sent once.
 * @throws AutoPayError `internal_error` if the nonce is taken: read `nextNonce` and sign again.
 */
export function createEnqueueTransaction({ transactions }: { transactions: TransactionStore }) {
  return function enqueueTransaction(transaction: Omit<QueuedTransaction, 'id' | 'status'>): QueuedTransaction {
    const known = transactions.findByPurpose(transaction.purpose);
    if (known !== undefined && known.status !== 'reverted') return known;
    const next = transactions.nextNonce() ?? 0;
    if (transaction.nonce < next) {
      throw new AutoPayError('internal_error', `Nonce ${transaction.nonce} is taken; the next is ${next}. Sign again.`);
    }
    transactions.insert(transaction);
    const stored = transactions.findByPurpose(transaction.purpose);
    if (stored === undefined) throw new AutoPayError('internal_error', `${transaction.purpose} was not stored.`);
    return stored;
  };
}

/**
 * Records a transaction's outcome; repeating it has no effect.
 * @throws AutoPayError `internal_error` if there is none, or it ended otherwise before.
 */
export function createFinishTransaction({ transactions }: { transactions: TransactionStore }) {
  return function finishTransaction(result: { id: number; status: Exclude<TransactionStatus, 'signed'> }): void {
    const known = transactions.find(result.id);
    if (known?.status === result.status) return;
    if (known?.status !== 'signed') {
      const what = known === undefined ? 'is unknown' : `has ${known.status}`;
      throw new AutoPayError('internal_error', `Transaction ${result.id} ${what}: it cannot become ${result.status}.`);
    }
    transactions.setStatus(result.id, result.status);
  };
}
