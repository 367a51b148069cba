import { commit, createSalt } from '../../protocol/receipt/commitments.ts';
import { answerHeaders } from './answer-headers.ts';
import { CallFailure, failAnswer, failAttempts, planAttempts, type CallContext } from './call-context.ts';
import { chargeBrokenOff } from './charge-broken-off.ts';
import { chargeCall } from './charge-call.ts';
import { finishPayment } from './finish-payment.ts';
import { judgeBreak } from './judge-break.ts';
import { keepAnswer } from './keep-answer.ts';
import { readJsonAnswer } from './read-json-answer.ts';

const contentType = 'application/json';

/**
 * Relays a call that is answered by one JSON body: read whole, charged, then sent as the exact bytes that came.
 * @throws CallFailure; CallError if it is charged; nothing has been sent then.
 */
export async function relayJson(context: CallContext): Promise<void> {
  const { call, deps, sink } = context;
  const { endpoint } = call;
  const { maxResponseBytes } = deps.limits;
  const result = await deps.router.run(
    planAttempts(context, (response, { quirks: shape }) =>
      readJsonAnswer(response, { endpoint, maxBytes: maxResponseBytes, shape }),
    ),
  );
  if (result.kind !== 'accepted') throw failAttempts(context, result);
  await awaitDurable(context);
  const { attempt, failed, retries, value } = result;
  const responseSalt = createSalt();
  const responseCommitment = commit({ subject: 'response', salt: responseSalt, bytes: value.bytes });
  const charge = { facts: value, attempt, failed, responseSalt, responseCommitment };
  if (value.cut) {
    const reason = judgeBreak(context.watch, value.cut);
    if (reason === null) throw failAnswer(context, { failed, attempt, cause: value.cut });
    return chargeBrokenOff(context, { reason, charge });
  }
  const headers = { 'cache-control': 'private, no-store', ...answerHeaders(context, attempt, retries) };
  const answer = keepAnswer(context, { contentType, headers, body: value.bytes });
  const charged = await chargeCall(context, { ...charge, brokenOff: null, answer });
  const finished = await finishPayment(context, charged);
  sink.start(200, {
    'content-type': contentType,
    'content-length': String(value.bytes.length),
    'x-autopay-receipt': charged.receipt,
    'x-autopay-cost': String(charged.result.receipt.amount),
    ...headers,
    ...finished.headers,
  });
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
