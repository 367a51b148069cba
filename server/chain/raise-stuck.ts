import { formatGwei } from 'viem';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { raiseFees, type Fees } from './choose-fees.ts';
import type { JobLog } from './job-log.ts';
import type { AccountView } from './read-account.ts';
import { readFees, signReplacement, type TransactionSigner } from './sign-attempt.ts';
import type { TrackedTransaction } from './tracked-transaction.ts';

/** What raising fees works with. */
export interface FeeRaiserOptions extends TransactionSigner {
  ledger: Pick<BackgroundLedger, 'replaceTransaction'>;
  log: JobLog;
  replaceAfterMs: number;
  maxFeePerGas: bigint;
}

/** A transaction is signed so often at most; then its last signature waits. */
const maxAttempts = 32;
/** What a node calls too cheap is signed anew no sooner than so. */
const cheapAfterMs = 3_000;

/**
 * Signs anew, with higher fees and the same nonce, what the base fee has overtaken, what the node finds too cheap, and the
 * first in line when it has waited too long: those behind it wait for it, not for a better fee of their own. Every signature
 * is durable before its broadcast and none is forgotten, for the earlier ones may be mined too.
 */
export function createFeeRaiser(options: FeeRaiserOptions) {
  const { replaceAfterMs, maxFeePerGas: cap } = options;
  let first = { id: -1, sinceMs: 0 };

  function shouldRaise(tracked: TrackedTransaction, fees: Fees, view: AccountView): boolean {
    const { id, attempts } = tracked.transaction;
    const signedAtMs = attempts.at(-1)?.signedAtMs ?? 0;
    if (fees.maxFeePerGas < view.baseFee) return true;
    if (tracked.isCheap && view.atMs - signedAtMs >= Math.min(cheapAfterMs, replaceAfterMs)) return true;
    return first.id === id && view.atMs - Math.max(signedAtMs, first.sinceMs) >= replaceAfterMs;
  }

  /** @param unmined what no block has, by nonce */
  return async function raiseStuck(unmined: readonly TrackedTransaction[], view: AccountView): Promise<void> {
    const id = unmined[0]?.transaction.id ?? -1;
    if (id !== first.id) first = { id, sinceMs: view.atMs };
    for (const tracked of unmined) {
      const newest = tracked.transaction.attempts.at(-1);
      if (newest === undefined) continue;
      const fees = readFees(newest);
      if (!shouldRaise(tracked, fees, view)) continue;
      const { baseFee, priorityFee } = view;
      // Above the cap no block takes it: a raise would only use the room up that is left for the time after.
      const raised = baseFee > cap ? undefined : raiseFees(fees, { baseFee, priorityFee, cap });
      if (raised === undefined || tracked.transaction.attempts.length >= maxAttempts) tellCap(options, tracked, view);
      else await replace(options, tracked, raised);
    }
  };
}

async function replace(options: FeeRaiserOptions, tracked: TrackedTransaction, fees: Fees): Promise<void> {
  const { id, purpose, nonce, attempts } = tracked.transaction;
  const [oldest] = attempts;
  if (oldest === undefined) return;
  const attempt = await signReplacement(options, oldest, fees);
  tracked.transaction = await options.ledger.replaceTransaction({ id, attempt });
  tracked.dueAtMs = 0;
  tracked.isCheap = false;
  const facts = { purpose, nonce, hash: attempt.hash, attempt: attempts.length + 1 };
  const gwei = { maxFeePerGasGwei: formatGwei(fees.maxFeePerGas) };
  options.log.warn({ ...facts, ...gwei }, 'a transaction is in no block; sending it with higher fees');
}

function tellCap({ log, maxFeePerGas }: FeeRaiserOptions, tracked: TrackedTransaction, view: AccountView): void {
  if (tracked.isCapTold) return;
  tracked.isCapTold = true;
  const { purpose, nonce } = tracked.transaction;
  const facts = { purpose, nonce, baseFeeGwei: formatGwei(view.baseFee), maxFeePerGasGwei: formatGwei(maxFeePerGas) };
  log.error(facts, 'a transaction waits for lower fees: raise chain.transactions.maxFeePerGasGwei, or wait');
}
