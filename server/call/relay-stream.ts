import type { Hash } from 'node:crypto';
import { createSalt, startCommitment } from '../../protocol/receipt/commitments.ts';
import { answerHeaders } from './answer-headers.ts';
import { CallFailure, failAnswer, failAttempts, planAttempts, type CallContext } from './call-context.ts';
import { chargeBrokenOff } from './charge-broken-off.ts';
import { chargeCall, type Charged } from './charge-call.ts';
import { judgeBreak } from './judge-break.ts';
import { awaitDurable } from './relay-json.ts';
import { StreamAnswer } from './stream-answer.ts';

/** An upstream that keeps its connection open after `[DONE]` is cut off after this. */
const trailingTimeoutMs = 1_000;

/**
 * Relays a call that is answered by an event stream: every event leaves as soon as it is complete; `[DONE]` is held until
 * the charge is durable, and goes out after the receipt comment.
 * @throws CallFailure, before or after the first byte.
 */
export async function relayStream(context: CallContext): Promise<void> {
  const { call, deps, sink } = context;
  const options = {
    maxBytes: deps.limits.maxResponseBytes,
    showUsage: call.chat.includeUsage,
    choices: call.chat.choices,
  };
  const result = await deps.router.run(planAttempts(context, (response) => StreamAnswer.open(response, options)));
  if (result.kind !== 'accepted') throw failAttempts(context, result);
  const { attempt, failed, value: answer } = result;
  const responseSalt = createSalt();
  const commitment = startCommitment('response', responseSalt);
  const describeCharge = () => {
    return { facts: answer.meter, attempt, failed, responseSalt, responseCommitment: commitment.digest() };
  };
  try {
    await awaitDurable(context);
    sink.start(200, { ...streamHeaders, ...answerHeaders(context, attempt) });
    await pump(context, { answer, commitment });
  } catch (cause) {
    answer.destroy();
    if (cause instanceof CallFailure) throw cause;
    const reason = judgeBreak(context.watch, cause);
    if (reason === null) throw failAnswer(context, { failed, attempt, cause });
    return chargeBrokenOff(context, { reason, charge: describeCharge() });
  }
  finishQuietly(answer);
  const charged = await chargeCall(context, { ...describeCharge(), brokenOff: null });
  sink.end(closingEvents(charged, context.request.payment.wantsPaymentEvents));
}

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'private, no-cache',
  // nginx would buffer the stream.
  'x-accel-buffering': 'no',
};

/** Passes everything before `[DONE]`. A client that has gone does not stop it: what it ordered is billed. */
async function pump(
  { watch }: CallContext,
  { answer, commitment }: { answer: StreamAnswer; commitment: Hash },
): Promise<void> {
  for (let bytes = await answer.next(); bytes !== null; bytes = await answer.next()) {
    if (bytes.length === 0) continue;
    commitment.update(bytes);
    await watch.write(bytes);
  }
}

function finishQuietly(answer: StreamAnswer): void {
  const timer = setTimeout(() => answer.destroy(), trailingTimeoutMs);
  void answer.finish().finally(() => clearTimeout(timer));
}

/**
 * What ends a whole stream. The receipt is a comment, since OpenAI's clients break on named events; the named MPP event
 * goes to those who paid by MPP, and after `[DONE]`, where those clients no longer read.
 */
function closingEvents(charged: Charged, wantsPaymentEvents: boolean): Buffer {
  const closing = `: autopay-receipt ${charged.receipt}\n\ndata: [DONE]\n\n`;
  const showsPayment = wantsPaymentEvents && charged.paymentReceipt !== null;
  return Buffer.from(showsPayment ? `${closing}event: payment-receipt\ndata: ${charged.paymentReceipt}\n\n` : closing);
}
