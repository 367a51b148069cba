import { smaller } from '../../protocol/bytes/compare-amounts.ts';
import { zeroAddress, toHex } from '../../protocol/bytes/hex.ts';
import { costOfUsage } from '../../protocol/pricing/token-prices.ts';
import { commit, createSalt } from '../../protocol/receipt/commitments.ts';
import type { AttemptRecord, ChargeResult, StoredAnswer } from '../ledger/ledger.ts';
import { digestAttempts } from './attempts-digest.ts';
import { CallFailure, closeAttempt, type CallContext } from './call-context.ts';
import type { CollectedEvidence } from './evidence/evidence-collector.ts';
import type { BreakReason } from './judge-break.ts';
import type { AnswerFacts } from './endpoints/answer-facts.ts';
import { meterAnswer } from './meter-answer.ts';
import type { OpenAttempt } from './router.ts';
import type { CallSummary } from './types.ts';

/** What is to be charged. */
export interface ChargeOptions {
  facts: AnswerFacts;
  attempt: OpenAttempt;
  /** Attempts before it. */
  failed: readonly AttemptRecord[];
  responseSalt: Uint8Array;
  /** Over the exact bytes that the client got, or would have got if it had stayed; of broken JSON what was read. */
  responseCommitment: Uint8Array;
  /** Why the answer is not whole, which makes its usage an estimate of what was read; null for a whole one. */
  brokenOff: BreakReason | null;
  /** For repeated requests; null where nothing is kept. */
  answer: StoredAnswer | null;
  /** What supports the answer; nothing but the relay's signature if null. */
  evidence: CollectedEvidence | null;
}

/** A durable charge, as the client is told of it. */
export interface Charged {
  /** Base64 SignedReceipt. */
  receipt: string;
  result: ChargeResult;
}

const maxModelCharacters = 256;

/**
 * Charges the call and reports it. Resolves when the charge is durable: the last byte of the answer MUST NOT leave earlier.
 * @throws CallFailure `internal_error` if the ledger refused.
 */
export async function chargeCall(context: CallContext, options: ChargeOptions): Promise<Charged> {
  const { deps, request, reserved } = context;
  const { attempt, brokenOff, evidence, facts } = options;
  const offer = reserved.offers[attempt.option] ?? reserved.offers[0];
  const { route, sale } = offer;
  const { asked } = context.call;
  const { fault, usage, usageKind } = await meterAnswer(facts, { asked, offer, isWhole: brokenOff === null });
  const outcome = brokenOff === null ? 'ok' : 'aborted';
  const closed = closeAttempt(context, attempt, { outcome, usage, usageKind }, fault);
  // One that was given up in favour of this may have begun later.
  const attempts = [...options.failed, closed];
  if (attempts.length > 1) attempts.sort((left, right) => left.number - right.number);
  const requestSalt = createSalt();
  const charge = {
    callId: request.callId,
    // What is held may be a dearer route's quote: the payer agreed to this one's.
    metered: sale === null ? 0n : smaller(costOfUsage(usage, sale), offer.quote.amount),
    receipt: {
      token: reserved.token ?? zeroAddress,
      priceRoot: deps.prices.root,
      // The round of the quote: the price may have moved since, the payer agreed to this one.
      oracleRound: sale === null ? 0n : sale.oracleRound,
      usage,
      requestCommitment: toHex(commit({ subject: 'request', salt: requestSalt, bytes: request.body })),
      responseCommitment: toHex(options.responseCommitment),
      attemptsDigest: digestAttempts(attempts),
      evidenceTier: evidence?.tier ?? ('relay-signed' as const),
      usageKind,
      // The model that it is sold as: the price table's row, and the budget, are that one's.
      modelAsked: route.model,
      modelServed: (facts.model ?? attempt.deployment.model).slice(0, maxModelCharacters).toWellFormed(),
      provider: attempt.deployment.provider,
      deployment: attempt.deployment.id,
    },
    requestSalt,
    responseSalt: options.responseSalt,
    attempts,
    answer: options.answer,
    evidence: evidence?.stored ?? null,
  };
  let result: ChargeResult;
  try {
    result = await deps.ledger.charge(charge);
  } catch (cause) {
    throw new CallFailure({ reason: 'internal_error', attempts, cause });
  }
  if (reserved.slice && result.channel && charge.metered > result.receipt.amount) {
    deps.slices?.unpaid.add(result.channel.channelId);
  }
  const summary: CallSummary = { callId: request.callId, model: route.model, outcome: 'charged', attempts, result };
  if (fault !== null) summary.usageFault = fault;
  if (brokenOff !== null) summary.reason = brokenOff;
  deps.onFinish?.(summary);
  return { receipt: result.signedReceipt, result };
}
