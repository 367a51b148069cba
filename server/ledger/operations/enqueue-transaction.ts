import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { NewTransaction, QueuedTransaction, TransactionAttempt, TransactionStatus } from '../background-ledger.ts';
import type { TransactionStore } from '../transaction-store.ts';
import { createUndoTransaction } from './undo-transaction.ts';

/**
 * Stores a signed transaction before it is sent. If its purpose has one already that did not revert, that one is
 * returned and nothing is stored: a job is sent once. Nor is it if the nonce is taken (undefined), so that several who sign
 * for one account are serialised here.
 */
export function createEnqueueTransaction({ transactions }: { transactions: TransactionStore }) {
  return function enqueueTransaction(transaction: NewTransaction): QueuedTransaction | undefined {
    const known = transactions.findByPurpose(transaction.purpose);
    if (known !== undefined && known.status !== 'reverted') return known;
    // A nonce below the highest one may be free: what fills a gap has it.
    if (transactions.findByNonce(transaction.account, transaction.nonce) !== undefined) return undefined;
    transactions.insert(transaction);
    const stored = transactions.findByPurpose(transaction.purpose);
    if (stored === undefined) throw new AutoPayError('internal_error', `${transaction.purpose} was not stored.`);
    return stored;
  };
}

/**
 * Stores a further signature of a transaction, before it is broadcast.
 * @throws AutoPayError `internal_error` if there is no such transaction, or nothing came of it.
 */
export function createReplaceTransaction({ transactions }: { transactions: TransactionStore }) {
  return function replaceTransaction(replacement: { id: number; attempt: TransactionAttempt }): QueuedTransaction {
    const { id, attempt } = replacement;
    const known = transactions.find(id);
    if (known?.attempts.some(({ hash }) => hash === attempt.hash) === true) return known;
    if (known === undefined || known.status === 'reverted') throw impossible(id, known?.status, 'replaced');
    transactions.addAttempt(id, known.attempts.length, attempt);
    return { ...known, attempts: [...known.attempts, attempt] };
  };
}

/**
 * Records a transaction's outcome; repeating it has no effect. Where it was thought to have succeeded, what was recorded of it is
 * taken back with it.
 * @throws AutoPayError `internal_error` if there is none, or it has reverted before: its job may have been sent anew.
 */
export function createFinishTransaction(stores: Parameters<typeof createUndoTransaction>[0]) {
  const { transactions } = stores;
  const undo = createUndoTransaction(stores);
  return function finishTransaction(result: { id: number; status: Exclude<TransactionStatus, 'signed'> }): void {
    const known = transactions.find(result.id);
    if (known?.status === result.status) return;
    if (known === undefined || known.status === 'reverted') throw impossible(result.id, known?.status, result.status);
    transactions.setStatus(result.id, result.status);
    if (known.status === 'succeeded') undo(known);
  };
}

function impossible(id: number, status: TransactionStatus | undefined, wanted: string): AutoPayError {
  const what = status === undefined ? 'is unknown' : `has ${status}`;
  return new AutoPayError('internal_error', `Transaction ${id} ${what}: it cannot be ${wanted}.`);
}
