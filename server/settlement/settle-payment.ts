import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { JobLog } from '../chain/job-log.ts';
import { isReverted, type TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { BackgroundLedger, DuePayment, StoredPayment } from '../ledger/background-ledger.ts';
import { describeError } from '../log.ts';
import { buildAttribution, buildSettlement } from './build-settlement.ts';
import {
  judgeAttribution,
  judgeFailure,
  judgeReceived,
  readReceived,
  type JudgeOptions,
  type Judgement,
} from './judge-failure.ts';
import type { TokenPayment } from './payment-payload.ts';
import { seeThrough } from './see-through.ts';

/** How far a payment is. */
export type SettlementOutcome =
  /** The hash is null where nothing was to be taken. */
  | { state: 'settled'; transactionHash: Hex | null }
  /** Under way, or to be tried again with the same payload. */
  | { state: 'pending' }
  /** The payer's doing; the payer is refused until it is settled after all, or forgiven. */
  | { state: 'lost'; reason: string };

/** Brings a payment to the chain by somebody else, such as an external x402 facilitator. */
export interface PaymentSubmitter {
  /**
   * Has the payment's money sent to the desk, where it waits to be attributed.
   * @throws if it did not come so far; the relay then settles by itself
   */
  submit(payment: DuePayment): Promise<void>;
}

/** What settling one payment works with. */
export interface SettlePaymentOptions extends JudgeOptions {
  ledger: Pick<BackgroundLedger, 'getPayment' | 'settlePayment' | 'losePayment'>;
  queue: Pick<TransactionQueue, 'send' | 'follow'>;
  /** Instead of the relay's own transaction, for what the payer authorised anybody to send. */
  submitter?: PaymentSubmitter | undefined;
  log: JobLog;
}

/**
 * One attempt: sends the payment's transaction, or takes up the one that was sent, and records how it ended.
 * @throws AutoPayError where the outcome is open, or the refusal not the payer's doing: to be tried again
 */
export async function settlePayment(options: SettlePaymentOptions, payment: DuePayment): Promise<SettlementOutcome> {
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

/**
 * Records a loss or a forgiven payment as settled whose earlier transaction brought its money after all. Signs nothing.
 * @throws as `settlePayment`
 */
export async function settleCarried(options: SettlePaymentOptions, paymentId: Hex): Promise<SettlementOutcome> {
  const payment = await options.ledger.getPayment(paymentId);
  if (payment?.state !== 'lost' && payment?.state !== 'forgiven') return tellEnded(options, paymentId);
  const transactionHash = await seeThrough(options, payment);
  return transactionHash === undefined ? tellLost(payment) : recordSettled(options, payment, transactionHash);
}

/**
 * How a payment ended that is neither due nor lost.
 * @throws AutoPayError `not_found` if nothing was charged to it
 */
export async function tellEnded({ ledger }: SettlePaymentOptions, paymentId: Hex): Promise<SettlementOutcome> {
  const payment = await ledger.getPayment(paymentId);
  if (payment?.state === 'settled') return { state: 'settled', transactionHash: payment.transactionHash };
  if (payment?.state === 'forgiven') return tellLost(payment);
  throw new AutoPayError('not_found', `Nothing was charged to a payment ${paymentId}.`);
}

/** The outcome of a payment that was given up. */
export function tellLost({ lossReason }: Pick<StoredPayment, 'lossReason'>): SettlementOutcome {
  return { state: 'lost', reason: lossReason ?? 'it was given up' };
}

async function conclude(
  options: SettlePaymentOptions,
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
async function attribute(options: SettlePaymentOptions, payment: DuePayment, signed: TokenPayment): Promise<Judgement> {
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
  { ledger, log }: SettlePaymentOptions,
  { paymentId, state }: Pick<StoredPayment, 'paymentId' | 'state'>,
  transactionHash: Hex,
): Promise<SettlementOutcome> {
  await ledger.settlePayment({ paymentId, transactionHash });
  if (state !== 'due') log.warn({ paymentId, transactionHash }, `a ${state} payment is settled after all`);
  return { state: 'settled', transactionHash };
}
