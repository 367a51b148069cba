import type { JobLog } from '../chain/job-log.ts';
import type { PurchaseEnd, PurchaseLedger } from '../ledger/purchase-ledger.ts';
import { describeError } from '../log.ts';

/** Facts for the log. */
type Facts = Readonly<Record<string, string | number>>;

/** Writes down what became of purchases, behind the answers that it concerns. */
export interface PurchaseCloser {
  /** Never throws: what could not be written counts as spent, and is looked at again after a restart. */
  close(end: PurchaseEnd, about: Facts): void;
  /** The answer did not come: nobody knows what it cost. */
  lose(purchaseId: number, about: Facts): void;
  warn(facts: Facts, message: string): void;
  error(facts: Facts, message: string): void;
  /** Runs work that nobody waits for; `stop` does. */
  run(work: () => Promise<void>, about: Facts): void;
  /** Resolves when all of it is written. */
  idle(): Promise<void>;
}

/** Makes the closer of a relay's purchases. */
export function createPurchaseCloser(options: {
  ledger: Pick<PurchaseLedger, 'closePurchase'>;
  log: JobLog;
}): PurchaseCloser {
  const { ledger, log } = options;
  const running = new Set<Promise<void>>();
  const run = (work: () => Promise<void>, about: Facts): void => {
    const done = work()
      .catch((error: unknown) => {
        log.error(
          { ...about, error: describeError(error) },
          'a purchase could not be written down; it counts as spent',
        );
      })
      .finally(() => running.delete(done));
    running.add(done);
  };
  const close = (end: PurchaseEnd, about: Facts): void => {
    run(async () => {
      await ledger.closePurchase(end);
    }, about);
  };
  return {
    run,
    close,
    lose(purchaseId, about) {
      log.warn(about, 'a provider was sent a payment, and its answer was lost');
      close({ purchaseId, state: 'unknown' }, about);
    },
    warn: (facts, message) => log.warn(facts, message),
    error: (facts, message) => log.error(facts, message),
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
