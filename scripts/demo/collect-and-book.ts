import { formatAmount } from '../../client/token-amount.ts';
import type { StackFile } from '../stack.ts';
import { USDC } from './demo-settings.ts';
import type { Demo } from './run-demo.ts';
import { runJob } from './run-job.ts';

/**
 * Lets the relay collect and book, and prints the transactions.
 * @param charged what the receipts of the calls say, atomic units of USDC.
 * @returns the hash of the booking's transaction.
 * @throws Error if what was collected or booked is another sum
 */
export async function collectAndBook(say: Demo['say'], stack: StackFile, charged: bigint): Promise<string> {
  const { collected, booked } = await runJob(stack, 'collect');
  requireSum('collected', collected, charged);
  requireSum('booked', booked, charged);
  for (const { amount, transactionHash } of collected) {
    say(`   collected ${formatAmount(BigInt(amount), USDC)} from escrow  ${transactionHash}`);
  }
  for (const { amount, transactionHash } of booked) {
    say(`   booked    ${formatAmount(BigInt(amount), USDC)}              ${transactionHash}`);
  }
  return booked[0]?.transactionHash ?? '';
}

function requireSum(what: string, moved: readonly { amount: string }[], expected: bigint): void {
  const sum = moved.reduce((total, { amount }) => total + BigInt(amount), 0n);
  if (sum !== expected) throw new Error(`${what} ${sum}, but the receipts say ${expected} (atomic units)`);
}
