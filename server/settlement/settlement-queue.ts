import { setTimeout as sleep } from 'node:timers/promises';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { JobLog } from '../chain/job-log.ts';
import { isReverted, type TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { BackgroundLedger, DuePayment, StoredPayment } from '../ledger/background-ledger.ts';
import { describeError } from '../log.ts';
import { buildAttribution, buildSettlement } from './build-settlement.ts';
import { createBackoff } from './backoff.ts';
import {
  judgeAttribution,
  judgeFailure,
  judgeReceived,
  readReceived,
  type JudgeOptions,
  type Judgement,
} from './judge-failure.ts';
import { createRepeatLimit } from './limit-repeats.ts';
import type { TokenPayment } from './payment-payload.ts';
import { seeThrough } from './see-through.ts';
import { listAllIds, workInTurn } from './work-in-turn.ts';

/** How far a payment is. */
export type SettlementOutcome =
  /** The hash is null where nothing was to be taken. */
  | { state: 'settled'; transactionHash: Hex | null }
  /** Under way, or to be tried again with the same payload. */
  | { state: 'pending' }
  /** The payer's doing; the payer is refused until it is settled after all, or forgiven. */
  | { state: 'lost'; reason: string };

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

/** Brings a payment to the chain by somebody else, such as an external x402 facilitator. */
export interface PaymentSubmitter {
  /**
   * Has the payment's money sent to the desk, where it waits to be attributed.
   * @throws if it did not come so far; the relay then settles by itself
   */
  submit(payment: DuePayment): Promise<void>;
}

/** What the queue works with. */
export interface SettlementQueueOptions extends JudgeOptions {
  ledger: Pick<
    BackgroundLedger,
    | 'getPayment'
    | 'getDuePayment'
    | 'listDuePayments'
    | 'listRetriedLosses'
    | 'listCarriedPayments'
    | 'settlePayment'
    | 'losePayment'
    | 'countPayments'
  >;
  queue: Pick<TransactionQueue, 'send' | 'follow'>;
  /** Instead of the relay's own transaction, for what the payer authorised anybody to send. */
  submitter?: PaymentSubmitter | undefined;
  log: JobLog;
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
    return attempt(payment.paymentId, () => attemptOnce(options, payment));
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

/** Of a payment that is neither due nor lost. */
async function tellEnded({ ledger }: SettlementQueueOptions, paymentId: Hex): Promise<SettlementOutcome> {
  const payment = await ledger.getPayment(paymentId);
  if (payment?.state === 'settled') return { state: 'settled', transactionHash: payment.transactionHash };
  if (payment?.state === 'forgiven') return tellLost(payment);
  throw new AutoPayError('not_found', `Nothing was charged to a payment ${paymentId}.`);
}

function tellLost({ lossReason }: Pick<StoredPayment, 'lossReason'>): SettlementOutcome {
  return { state: 'lost', reason: lossReason ?? 'it was given up' };
}

async function settleCarried(options: SettlementQueueOptions, paymentId: Hex): Promise<SettlementOutcome> {
  const payment = await options.ledger.getPayment(paymentId);
  if (payment?.state !== 'lost' && payment?.state !== 'forgiven') return tellEnded(options, paymentId);
  const transactionHash = await seeThrough(options, payment);
  return transactionHash === undefined ? tellLost(payment) : recordSettled(options, payment, transactionHash);
}

async function attemptOnce(options: SettlementQueueOptions, payment: DuePayment): Promise<SettlementOutcome> {
  const { contracts, queue, submitter } = options;
  // `upto` names the desk: nobody else can settle it. An allowance is not signed at all.
  if (submitter !== undefined && (payment.kind === 'eip3009' || payment.kind === 'permit2-exact')) {
    await submitter.submit(payment).catch((error: unknown) => {
      const facts = { paymentId: payment.paymentId, error: describeError(error) };
      options.log.warn(facts, 'the facilitator did not settle; the relay settles by itself');
    });
  }
  try {
    const { transactionHash } = await queue.send(buildSettlement(contracts, payment));
    return await recordSettled(options, payment, transactionHash);
  } catch (error) {
    if (!isReverted(error)) throw error;
    return conclude(options, payment, await judgeFailure(options, payment, error));
  }
}

async function conclude(
  options: SettlementQueueOptions,
  payment: DuePayment,
  judgement: Judgement,
): Promise<SettlementOutcome> {
  const { ledger, log } = options;
  const { paymentId, payer, captured } = payment;
  switch (judgement.kind) {
    case 'received':
      return recordSettled(options, payment, judgement.transactionHash);
    case 'submitted':
      return conclude(options, payment, await attribute(options, payment, judgement.signed));
    case 'lost': {
      const { reason } = judgement;
      await ledger.losePayment({ paymentId, reason });
      const isNews = payment.state !== 'lost';
      if (isNews) log.error({ paymentId, payer, amount: String(captured), reason }, 'a payment is lost');
      return { state: 'lost', reason };
    }
    case 'open': {
      // What the chain no longer tells, the ledger may know.
      const transactionHash = await seeThrough(options, payment);
      if (transactionHash !== undefined) return recordSettled(options, payment, transactionHash);
      throw new AutoPayError('transaction_reverted', `The chain refuses payment ${paymentId}: ${judgement.reason}.`);
    }
  }
}

/** Has the desk hand on what somebody else brought. What lies there may be less than that, or another payment's. */
async function attribute(
  options: SettlementQueueOptions,
  payment: DuePayment,
  signed: TokenPayment,
): Promise<Judgement> {
  const attribution = buildAttribution(options.contracts, payment, signed);
  if (attribution === undefined) throw new Error('nobody else can bring such a payment');
  try {
    const { blockNumber, transactionHash } = await options.queue.send(attribution);
    const received = await readReceived(options, signed, blockNumber);
    return judgeReceived(received, payment) ?? { kind: 'received', transactionHash };
  } catch (error) {
    const lost = isReverted(error) ? judgeAttribution(error) : undefined;
    if (lost === undefined) throw error;
    return lost;
  }
}

async function recordSettled(
  { ledger, log }: SettlementQueueOptions,
  { paymentId, state }: Pick<StoredPayment, 'paymentId' | 'state'>,
  transactionHash: Hex,
): Promise<SettlementOutcome> {
  await ledger.settlePayment({ paymentId, transactionHash });
  if (state !== 'due') log.warn({ paymentId, transactionHash }, `a ${state} payment is settled after all`);
  return { state: 'settled', transactionHash };
}
