import { setTimeout as sleep } from 'node:timers/promises';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { BackgroundLedger, DuePayment } from '../ledger/background-ledger.ts';
import { describeError } from '../log.ts';
import { createBackoff } from './backoff.ts';
import { createRepeatLimit } from './limit-repeats.ts';
import {
  settleCarried,
  settlePayment,
  tellEnded,
  tellLost,
  type SettlementOutcome,
  type SettlePaymentOptions,
} from './settle-payment.ts';
import { listAllIds, workInTurn } from './work-in-turn.ts';

/** What is open, for `GET /healthz`. */
export interface SettlementState {
  due: number;
  lost: number;
}

/** Takes direct payments on the chain, each once. */
export interface SettlementQueue {
  /**
   * Settles a payment whose charge is durable, and waits for it, for a bounded time. Idempotent; what is still pending then goes
   * on by itself, also after a restart. What is lost is tried at once, but for each payment at most once a minute.
   *
   * @throws AutoPayError `not_found` if nothing was charged to such a payment
   */
  settle(paymentId: Hex): Promise<SettlementOutcome>;
  /** Settles all that is due: what a restart left behind, and what failed for reasons of ours. */
  settleDue(): Promise<void>;
  /**
   * Tries again what is lost and could still be settled: a payer may have filled up. Each less and less often, at last once an hour,
   * until it ends or is 30 days old.
   */
  retryLosses(): Promise<void>;
  /**
   * Sees through what was signed for losses and forgiven payments, so that money which comes after all is settled, booked and given
   * back: their own attempt may have ended with an earlier process. It signs nothing new. Each less and less often, as losses.
   */
  settleCarried(): Promise<void>;
  /** As of the last run of `settleDue`. */
  state(): SettlementState;
  /** Resolves when nothing is under way; end the transaction queue's waiting first. */
  idle(): Promise<void>;
}

/** What the queue works with. */
export interface SettlementQueueOptions extends SettlePaymentOptions {
  ledger: SettlePaymentOptions['ledger'] &
    Pick<
      BackgroundLedger,
      'getDuePayment' | 'listDuePayments' | 'listRetriedLosses' | 'listCarriedPayments' | 'countPayments'
    >;
  /** How long one `settle` waits. */
  waitMs?: number;
}

/** At most this many payments are taken up by one run, so many at once: the oldest may be stuck, and must not hold up the others. */
const maxPaymentsPerRun = 1_000;
const settledAtOnce = 64;
/** Lost payments are tried again by so many at once. */
const retriesAtOnce = 8;
/** How soon a lost payment is tried again, by itself and by who repeats its call. */
const retryMs = 60_000;

/** The settlement worker. There MUST be one for each transaction queue. */
export function createSettlementQueue(options: SettlementQueueOptions): SettlementQueue {
  const { ledger, log, waitMs = 15_000 } = options;
  const underWay = new Map<Hex, Promise<SettlementOutcome>>();
  const pace = { firstMs: retryMs, mostMs: 3_600_000, nowMs: options.nowMs };
  const [lossBackoff, carriedBackoff] = [createBackoff(pace), createBackoff(pace)];
  const mayRepeat = createRepeatLimit({ everyMs: retryMs, nowMs: options.nowMs });
  let state: SettlementState = { due: 0, lost: 0 };

  /** One attempt at a time for each payment; all who ask share it. It never rejects. */
  function attempt(paymentId: Hex, work: () => Promise<SettlementOutcome>): Promise<SettlementOutcome> {
    const current = underWay.get(paymentId);
    if (current !== undefined) return current;
    const started = work()
      .catch((error: unknown): SettlementOutcome => {
        log.warn({ paymentId, error: describeError(error) }, 'a settlement is pending and will be tried again');
        return { state: 'pending' };
      })
      .finally(() => underWay.delete(paymentId));
    underWay.set(paymentId, started);
    return started;
  }

  function attemptDue(payment: DuePayment): Promise<SettlementOutcome> {
    return attempt(payment.paymentId, () => settlePayment(options, payment));
  }

  async function settleOne(paymentId: Hex): Promise<SettlementOutcome> {
    const payment = await ledger.getDuePayment(paymentId);
    if (payment === undefined) return tellEnded(options, paymentId);
    const isNew = !underWay.has(paymentId);
    if (isNew && payment.state === 'lost' && !mayRepeat(paymentId)) return tellLost(payment);
    return waitFor(attemptDue(payment), waitMs);
  }

  return {
    async settle(paymentId) {
      const current = underWay.get(paymentId);
      if (current !== undefined) return waitFor(current, waitMs);
      return settleOne(paymentId);
    },
    async settleDue() {
      await workInTurn(await ledger.listDuePayments({ limit: maxPaymentsPerRun }), settledAtOnce, attemptDue);
      state = await ledger.countPayments();
    },
    async retryLosses() {
      const nowSeconds = Math.floor(options.nowMs() / 1_000);
      const open = await listAllIds((page) => ledger.listRetriedLosses({ ...page, nowSeconds }));
      await workInTurn([...lossBackoff.take(open)], retriesAtOnce, async (paymentId) => {
        const payment = await ledger.getDuePayment(paymentId);
        if (payment !== undefined) await attemptDue(payment);
      });
    },
    async settleCarried() {
      const carried = await listAllIds((page) => ledger.listCarriedPayments(page));
      await workInTurn([...carriedBackoff.take(carried)], settledAtOnce, (paymentId) =>
        attempt(paymentId, () => settleCarried(options, paymentId)),
      );
    },
    state: () => state,
    async idle() {
      await Promise.all(underWay.values());
    },
  };
}

async function waitFor(attempt: Promise<SettlementOutcome>, waitMs: number): Promise<SettlementOutcome> {
  const late = new AbortController();
  try {
    const pending: SettlementOutcome = { state: 'pending' };
    return await Promise.race([
      attempt,
      sleep(waitMs, pending, { signal: late.signal, ref: false }).catch(() => pending),
    ]);
  } finally {
    late.abort();
  }
}
