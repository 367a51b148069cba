import { commit, createSalt } from '../../protocol/receipt/commitments.ts';
import { answerHeaders } from './answer-headers.ts';
import { CallFailure, failAnswer, failAttempts, planAttempts, type CallContext } from './call-context.ts';
import { chargeBrokenOff } from './charge-broken-off.ts';
import { chargeCall, type Charged } from './charge-call.ts';
import { judgeBreak } from './judge-break.ts';
import { readJsonAnswer } from './read-json-answer.ts';
import type { OpenAttempt } from './router.ts';

/**
 * Relays a call that is answered by one JSON body: read whole, charged, then sent as the exact bytes that came.
 * @throws CallFailure, CallError; nothing has been sent then.
 */
export async function relayJson(context: CallContext): Promise<void> {
  const { deps, sink } = context;
  const { maxResponseBytes } = deps.limits;
  const result = await deps.router.run(planAttempts(context, (response) => readJsonAnswer(response, maxResponseBytes)));
  if (result.kind !== 'accepted') throw failAttempts(context, result);
  await awaitDurable(context);
  const { attempt, failed, value } = result;
  const responseSalt = createSalt();
  const responseCommitment = commit({ subject: 'response', salt: responseSalt, bytes: value.bytes });
  const charge = { facts: value, attempt, failed, responseSalt, responseCommitment };
  if (value.cut) {
    const reason = judgeBreak(context.watch, value.cut);
    if (reason === null) throw failAnswer(context, { failed, attempt, cause: value.cut });
    return chargeBrokenOff(context, { reason, charge });
  }
  const charged = await chargeCall(context, { ...charge, brokenOff: null });
  sink.start(200, jsonHeaders(context, { attempt, charged, length: value.bytes.length }));
  sink.end(value.bytes);
}

/**
 * Resolves when the reservation is durable: the client's first byte MUST NOT leave earlier.
 * @throws CallFailure `internal_error` if it will never be.
 */
export async function awaitDurable({ reserved }: CallContext): Promise<void> {
  try {
    await reserved.durable;
  } catch (cause) {
    throw new CallFailure({ reason: 'internal_error', attempts: [], cause });
  }
}

function jsonHeaders(
  context: CallContext,
  options: { attempt: OpenAttempt; charged: Charged; length: number },
): Record<string, string> {
  const { paymentReceipt, receipt } = options.charged;
  return {
    'content-type': 'application/json',
    'content-length': String(options.length),
    'cache-control': 'private, no-store',
    'x-autopay-receipt': receipt,
    ...(paymentReceipt !== null && { 'payment-receipt': Buffer.from(paymentReceipt).toString('base64url') }),
    ...answerHeaders(context, options.attempt),
  };
}
