import { commit, createSalt } from '../../protocol/receipt/commitments.ts';
import { answerHeaders } from './answer-headers.ts';
import { CallFailure, failAnswer, failAttempts, planAttempts, type CallContext } from './call-context.ts';
import { chargeBrokenOff } from './charge-broken-off.ts';
import { chargeCall } from './charge-call.ts';
import type { CollectedEvidence } from './evidence/evidence-collector.ts';
import { EvidenceWatch } from './evidence/watch-evidence.ts';
import { finishPayment } from './finish-payment.ts';
import { judgeBreak } from './judge-break.ts';
import { keepAnswer } from './keep-answer.ts';
import { readJsonAnswer, type JsonAnswer } from './read-json-answer.ts';
import type { AttemptPlan } from './router.ts';

const contentType = 'application/json';
const jsonHeaders = { 'cache-control': 'private, no-store' };

/**
 * Relays a call that is answered by one JSON body: read whole, charged, then sent as the exact bytes that came.
 * @throws CallFailure; CallError if it is charged; nothing has been sent then.
 */
export async function relayJson(context: CallContext): Promise<void> {
  const { deps, sink } = context;
  const evidence = EvidenceWatch.of(context);
  const result = await deps.router.run(planAttempts(context, acceptJson(context, evidence), evidence));
  if (result.kind !== 'accepted') throw failAttempts(context, result, evidence);
  const { attempt, failed, retries, value } = result;
  const responseSalt = createSalt();
  const responseCommitment = commit({ subject: 'response', salt: responseSalt, bytes: value.bytes });
  const { evidence: collected = null } = value;
  const charge = { facts: value, attempt, failed, responseSalt, responseCommitment, evidence: collected };
  if (value.cut) {
    const reason = judgeBreak(context.watch, value.cut);
    if (reason === null) throw failAnswer(context, { failed, attempt, cause: value.cut });
    return chargeBrokenOff(context, { reason, charge });
  }
  const headers = answerHeaders(context, { attempt, retries, always: jsonHeaders });
  if (value.evidence) headers['x-autopay-evidence-tier'] = value.evidence.tier;
  const answer = keepAnswer(context, { contentType, headers, body: value.bytes });
  // Both become durable together, as a rule: the reservation waits for its charge.
  const charged = await chargeCall(context, { ...charge, brokenOff: null, answer });
  await awaitDurable(context);
  const finished = await finishPayment(context, charged);
  const first = {
    'content-type': contentType,
    'content-length': String(value.bytes.length),
    'x-autopay-receipt': charged.receipt,
    'x-autopay-cost': String(charged.result.receipt.amount),
  };
  sink.start(200, Object.assign(first, headers, finished.headers));
  sink.end(value.bytes);
}

/** A JSON answer, and what supports it; nothing where nobody looked. */
type SupportedAnswer = JsonAnswer & { evidence?: CollectedEvidence | null };

/** Reads an answer, and its evidence: one that lacks what is demanded is no answer, and another deployment is asked. */
function acceptJson(
  { call: { endpoint }, deps }: CallContext,
  evidence: EvidenceWatch | null,
): AttemptPlan<SupportedAnswer>['accept'] {
  const { maxResponseBytes: maxBytes } = deps.limits;
  if (!evidence) {
    return (response, { quirks: shape }) => readJsonAnswer(response, { endpoint, maxBytes, shape });
  }
  return async (response, deployment) => {
    const watched = evidence.open(response, deployment);
    const shape = deployment.quirks;
    const answer = await readJsonAnswer(watched.response, { endpoint, maxBytes, shape });
    // What is broken off is charged as what was read of it: nobody vouches for that.
    if (answer.cut) return answer;
    const collected = await evidence.collect(watched, answer);
    evidence.require(watched, collected.tier);
    return { ...answer, evidence: watched.plan ? collected : null };
  };
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
