import type { Hash } from 'node:crypto';
import { createSalt, startCommitment } from '../../protocol/receipt/commitments.ts';
import { answerHeaders } from './answer-headers.ts';
import { CallFailure, failAnswer, failAttempts, planAttempts, type CallContext } from './call-context.ts';
import { chargeBrokenOff } from './charge-broken-off.ts';
import { chargeCall } from './charge-call.ts';
import { endStream } from './finish-payment.ts';
import { judgeBreak } from './judge-break.ts';
import { KeptStream } from './keep-answer.ts';
import { PayAsYouStream, VoucherMissing } from './pay-as-you-stream.ts';
import { awaitDurable } from './relay-json.ts';
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
  const result = await deps.router.run(
    planAttempts(context, (response, { quirks }) =>
      StreamAnswer.open(response, { maxBytes, maxEventBytes, meter: wire.createMeter(call.asked, quirks) }),
    ),
  );
  if (result.kind !== 'accepted') throw failAttempts(context, result);
  const { attempt, failed, retries, value: answer } = result;
  const responseSalt = createSalt();
  const commitment = startCommitment('response', responseSalt);
  const describeCharge = () => {
    return { facts: answer.meter, attempt, failed, responseSalt, responseCommitment: commitment.digest() };
  };
  const headers = { ...streamHeaders, ...answerHeaders(context, attempt, retries) };
  const kept = context.reserved.keepsAnswer ? new KeptStream() : null;
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
    return chargeBrokenOff(context, { reason, charge: describeCharge() });
  }
  finishQuietly(answer);
  const { ending } = answer;
  if (ending) {
    commitment.update(ending);
    kept?.add(ending);
  }
  const body = kept?.take() ?? null;
  const stored = body && { contentType, headers, body };
  await endStream(context, await chargeCall(context, { ...describeCharge(), brokenOff: null, answer: stored }), ending);
}

const contentType = 'text/event-stream; charset=utf-8';
const streamHeaders = {
  'cache-control': 'private, no-store, no-transform',
  // nginx would buffer the stream.
  'x-accel-buffering': 'no',
};

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

function finishQuietly(answer: StreamAnswer): void {
  const timer = setTimeout(() => answer.destroy(), trailingTimeoutMs);
  void answer.finish().finally(() => clearTimeout(timer));
}
