import type { Hash } from 'node:crypto';
import { createSalt, startCommitment } from '../../protocol/receipt/commitments.ts';
import type { AttemptRecord } from '../ledger/ledger.ts';
import { answerHeaders } from './answer-headers.ts';
import { CallFailure, closeAttempt, failAnswer, failAttempts, planAttempts, type CallContext } from './call-context.ts';
import { chargeBrokenOff } from './charge-broken-off.ts';
import { chargeCall } from './charge-call.ts';
import type { CollectedEvidence } from './evidence/evidence-collector.ts';
import { EvidenceWatch, type WatchedAnswer } from './evidence/watch-evidence.ts';
import { endStream } from './finish-payment.ts';
import { judgeBreak } from './judge-break.ts';
import { KeptStream } from './keep-answer.ts';
import { PayAsYouStream, VoucherMissing } from './pay-as-you-stream.ts';
import { awaitDurable } from './relay-json.ts';
import type { OpenAttempt } from './router.ts';
import { StreamAnswer } from './stream-answer.ts';

/** An upstream that keeps its connection open after the end is cut off after this. */
const trailingTimeoutMs = 1_000;

/**
 * Relays a call that is answered by an event stream: every event leaves as soon as it is complete; the last one is held until
 * the charge is durable, and goes out beside the receipt comment.
 * @throws CallFailure, before or after the first byte.
 */
export async function relayStream(context: CallContext): Promise<void> {
  const { call, deps, sink } = context;
  const wire = call.endpoint.stream;
  if (!wire) throw new CallFailure({ reason: 'internal_error', attempts: [] });
  const maxBytes = deps.limits.maxResponseBytes;
  // An event that repeats the request, or the answer, is bounded by nothing else.
  const maxEventBytes = wire.repeats > 1 ? maxBytes : undefined;
  const evidence = EvidenceWatch.of(context);
  const plan = planAttempts(
    context,
    async (response, deployment) => {
      const watched = evidence?.open(response, deployment) ?? null;
      const meter = wire.createMeter(call.asked, deployment.quirks);
      return {
        answer: await StreamAnswer.open(watched?.response ?? response, { maxBytes, maxEventBytes, meter }),
        watched,
      };
    },
    evidence,
  );
  const result = await deps.router.run(plan);
  if (result.kind !== 'accepted') throw failAttempts(context, result);
  const { attempt, failed, retries } = result;
  const { answer, watched } = result.value;
  const responseSalt = createSalt();
  const commitment = startCommitment('response', responseSalt);
  const describeCharge = () => {
    return { facts: answer.meter, attempt, failed, responseSalt, responseCommitment: commitment.digest() };
  };
  const headers = answerHeaders(context, { attempt, retries, always: streamHeaders });
  const kept = keepStream(context);
  const paying = payAsYouStream(context);
  try {
    await awaitDurable(context);
    sink.start(200, { 'content-type': contentType, ...headers });
    await pump(context, { answer, commitment, kept, paying });
    await paying?.settle(answer.meter);
  } catch (cause) {
    answer.destroy();
    if (cause instanceof CallFailure) throw cause;
    const reason = cause instanceof VoucherMissing ? 'voucher_missing' : judgeBreak(context.watch, cause);
    if (reason === null) throw failAnswer(context, { failed, attempt, cause });
    return chargeBrokenOff(context, { reason, charge: { ...describeCharge(), evidence: null } });
  }
  const finished = finishQuietly(answer);
  const collected = evidence && watched ? await supportStream(evidence, { answer, watched, finished }) : null;
  if (evidence?.isTooLow) throw failForEvidence(context, { attempt, failed });
  const { ending } = answer;
  if (ending) {
    commitment.update(ending);
    kept?.add(ending);
  }
  const body = kept?.take() ?? null;
  const stored = body && { contentType, headers, body };
  const charge = { ...describeCharge(), brokenOff: null, answer: stored, evidence: collected };
  await endStream(context, await chargeCall(context, charge), ending);
}

const contentType = 'text/event-stream; charset=utf-8';
const streamHeaders = {
  'cache-control': 'private, no-store, no-transform',
  // nginx would buffer the stream.
  'x-accel-buffering': 'no',
};

/** Null where nobody may ask for the answer again. */
function keepStream({ deps, reserved, watch }: CallContext): KeptStream | null {
  if (!reserved.keepsAnswer) return null;
  const kept = new KeptStream(deps.running.kept);
  watch.atEnd(() => kept.end());
  return kept;
}

/** What a stream passes through. */
interface StreamParts {
  answer: StreamAnswer;
  commitment: Hash;
  kept: KeptStream | null;
  /** Null where all of the quote is held. */
  paying: PayAsYouStream | null;
}

function payAsYouStream({ deps, request, reserved, watch }: CallContext): PayAsYouStream | null {
  const { offers, slice: first } = reserved;
  const { quote, sale } = offers[0];
  const { slices: terms } = deps;
  return first && sale && terms
    ? new PayAsYouStream({ callId: request.callId, terms, first, quote, sale, watch })
    : null;
}

/** Passes everything before the last event. A client that has gone does not stop it: what it ordered is billed. */
async function pump({ watch }: CallContext, { answer, commitment, kept, paying }: StreamParts): Promise<void> {
  for (let bytes = await answer.next(); bytes !== null; bytes = await answer.next()) {
    if (bytes.length === 0) continue;
    // No chunk leaves that is not paid for.
    if (paying) await paying.cover(answer.meter);
    commitment.update(bytes);
    kept?.add(bytes);
    await watch.write(bytes);
  }
}

/** Resolves when the answer's last byte is there, or no more are waited for. Never rejects. */
function finishQuietly(answer: StreamAnswer): Promise<void> {
  const timer = setTimeout(() => answer.destroy(), trailingTimeoutMs);
  return answer.finish().finally(() => clearTimeout(timer));
}

/** The evidence of a whole stream, while its last event is held back: what signs it signs its last byte too. */
async function supportStream(
  evidence: EvidenceWatch,
  { answer, finished, watched }: { answer: StreamAnswer; watched: WatchedAnswer; finished: Promise<void> },
): Promise<CollectedEvidence | null> {
  // Where nothing is collected, the last event waits for nothing.
  if (watched.plan) await finished;
  const collected = await evidence.collect(watched, answer.meter);
  evidence.check(watched, collected.tier);
  return watched.plan ? collected : null;
}

/** A stream that lacks what is demanded ends like one that its provider broke off: uncharged, and without its last event. */
function failForEvidence(
  context: CallContext,
  { attempt, failed }: { attempt: OpenAttempt; failed: readonly AttemptRecord[] },
): CallFailure {
  const record = closeAttempt(context, attempt, { outcome: 'aborted', usage: null, usageKind: 'unknown' });
  return new CallFailure({ reason: 'evidence_too_low', attempts: [...failed, record] });
}
