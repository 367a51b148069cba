/** Operations of a transaction that take about as long as a commit does on a disk of its own. */
const enough = 64;
/** A transaction of as many takes no more, however slow the disk is. */
const most = 512;

/** How far a transaction is. */
export interface TransactionProgress {
  operations: number;
  /** Since it began, milliseconds. */
  ranMs: number;
  /** What the last commit took, milliseconds. */
  commitMs: number;
}

/**
 * Whether a transaction is to be committed though more groups are there. What is in it waits for them; but where a commit takes longer
 * than what it commits, the disk decides how many calls there can be, and the more of them share it the less does each of them wait.
 */
export function isFull({ operations, ranMs, commitMs }: TransactionProgress): boolean {
  return operations >= most || (operations >= enough && ranMs >= commitMs);
}
