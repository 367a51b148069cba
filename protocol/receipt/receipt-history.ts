import type { CallReceipt } from './call-receipt.ts';

/** More than can be in flight at once; older neighbours are no longer needed. */
const maxRemembered = 2_048;

/** The part of a receipt that orders it among its channel's receipts. Amounts are atomic units. */
type OrderedReceipt = Pick<CallReceipt, 'callId' | 'sequence' | 'runningTotal' | 'amount'>;

/**
 * The last receipts of one channel. With parallel calls they arrive in any order, so each is held against the neighbours
 * that are there: running totals must join without gap or overlap, and no sequence number may serve two calls.
 */
export class ReceiptHistory {
  readonly #bySequence = new Map<number, OrderedReceipt>();

  /** Remembers a receipt, and says in words what does not fit its neighbours. */
  add(receipt: OrderedReceipt): string[] {
    const problems: string[] = [];
    if (receipt.sequence < 1) problems.push('it has no sequence number');
    const same = this.#bySequence.get(receipt.sequence);
    if (same && same.callId !== receipt.callId)
      problems.push(`its sequence number ${receipt.sequence} is that of call ${same.callId}`);
    else if (same && (same.amount !== receipt.amount || same.runningTotal !== receipt.runningTotal))
      problems.push(`an earlier receipt of the same call is over ${same.amount}`);
    const totalBefore = receipt.runningTotal - receipt.amount;
    const before = this.#bySequence.get(receipt.sequence - 1);
    const isFirst = receipt.sequence === 1;
    if (totalBefore < 0n || (isFirst && totalBefore !== 0n) || (before && before.runningTotal !== totalBefore)) {
      problems.push(`its running total does not follow from receipt ${receipt.sequence - 1}`);
    }
    const after = this.#bySequence.get(receipt.sequence + 1);
    if (after && after.runningTotal - after.amount !== receipt.runningTotal) {
      problems.push(`its running total does not lead to receipt ${receipt.sequence + 1}`);
    }
    if (problems.length === 0) this.#remember(receipt);
    return problems;
  }

  #remember(receipt: OrderedReceipt): void {
    const { callId, sequence, runningTotal, amount } = receipt;
    this.#bySequence.set(sequence, { callId, sequence, runningTotal, amount });
    const oldest = this.#bySequence.keys().next();
    if (this.#bySequence.size > maxRemembered && oldest.value !== undefined) this.#bySequence.delete(oldest.value);
  }
}
