import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import { AutoPayError, type AutoPayErrorOptions } from '../../protocol/errors/auto-pay-error.ts';
import type { AttemptRecord } from '../ledger/ledger.ts';
import type { UsageFault } from '../metering/judge-usage.ts';
import { retryHeaders } from './answer-headers.ts';
import { CallError } from './call-error.ts';
import type { EvidenceWatch } from './evidence/watch-evidence.ts';
import type { CallWatch, GiveUpReason } from './call-watch.ts';
import type { Offer } from './offer-routes.ts';
import type { PreparedCall } from './prepare-call.ts';
import type { ReservedCall } from './reserve-call.ts';
import {
  UnusableAnswer,
  type AttemptPlan,
  type AttemptsResult,
  type OpenAttempt,
  type RouteOption,
  type UpstreamRefusal,
} from './router.ts';
import { plainRoute } from './routing-terms.ts';
import { BrokenStream } from './stream-meter.ts';
import { outcomeOfFailure, TransportError } from './transport.ts';
import type { CallDeps, CallRequest, ResponseSink } from './types.ts';

/** All that belongs to one call once its quote is held. */
export interface CallContext {
  deps: CallDeps;
  request: CallRequest;
  sink: ResponseSink;
  call: PreparedCall;
  reserved: ReservedCall;
  watch: CallWatch;
}

/** A call that is not charged: why, and what the client gets instead of an answer. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly reason: ErrorCode | 'client_gone';
  readonly attempts: readonly AttemptRecord[];
  /** The upstream's own error, where that is what the client gets. */
  readonly refusal: UpstreamRefusal | null;
  /** Of the answer, if none has begun. */
  readonly headers: Readonly<Record<string, string>>;
  readonly facts: NonNullable<AutoPayErrorOptions['facts']>;

  constructor(options: {
    reason: ErrorCode | 'client_gone';
    attempts: readonly AttemptRecord[];
    refusal?: UpstreamRefusal;
    headers?: Readonly<Record<string, string>>;
    facts?: NonNullable<AutoPayErrorOptions['facts']>;
    cause?: unknown;
  }) {
    super(`the call ended with ${options.reason}`, { cause: options.cause });
    this.reason = options.reason;
    this.attempts = options.attempts;
    this.refusal = options.refusal ?? null;
    this.headers = options.headers ?? {};
    this.facts = options.facts ?? {};
  }
}

/**
 * The attempts of a call, as the router is to make them.
 * @param evidence hears what goes to providers, and sees to it that what is demanded is asked for
 */
export function planAttempts<T>(
  context: CallContext,
  accept: AttemptPlan<T>['accept'],
  evidence: EvidenceWatch | null = null,
): AttemptPlan<T> {
  const { call, deps, request, reserved, watch } = context;
  return {
    callId: request.callId,
    options: reserved.offers.map((offer) => planOption(context, offer, evidence)),
    path: call.endpoint.path,
    stream: call.asked.stream,
    signal: watch.signal,
    leaving: () => watch.leaving,
    deadlineMs: reserved.admittedAtMs + deps.limits.callTimeoutMs,
    mayRetry: () => !watch.clientGone && watch.reason === null,
    accept,
  };
}

function planOption(context: CallContext, offer: Offer, evidence: EvidenceWatch | null): RouteOption {
  const { call, request } = context;
  const { after, deployments, quote, route } = offer;
  const { outputTokens, promptTokens, shrunk } = quote;
  return {
    ...{ after, deployments, outputTokens, promptTokens, shrunk, terms: route.terms ?? plainRoute },
    bodyFor(deployment) {
      const body = call.endpoint.buildBody({ body: request.body, asked: call.asked, route, deployment, outputTokens });
      return evidence?.prepareRequest(deployment, body) ?? body;
    },
    enter: () => moveTo(context, route.model),
  };
}

/** Sells the call as another model's, if that model's budget of the day covers what is held. */
async function moveTo({ deps, request, reserved }: CallContext, model: string): Promise<boolean> {
  const { admittedAtMs: atMs, token } = reserved;
  try {
    const budget = token && deps.budgets.terms({ model, token, atMs });
    const { ok } = await deps.ledger.moveCall({ callId: request.callId, model, budget });
    return ok;
  } catch (error) {
    // What governance says of that model's budget is not known, or forbids it.
    if (error instanceof AutoPayError && error.code !== 'internal_error') return false;
    throw error;
  }
}

/**
 * The record of an attempt that has ended; the router hears of it too.
 * @param usageFault what is wrong with the usage that the provider told
 */
export function closeAttempt(
  context: CallContext,
  attempt: OpenAttempt,
  end: Pick<AttemptRecord, 'outcome' | 'usage' | 'usageKind'>,
  usageFault: UsageFault | null = null,
): AttemptRecord {
  const { number, deployment, startedAtMs, status } = attempt;
  attempt.report({ ...end, usageFault });
  const endedAtMs = context.deps.clock.nowMs();
  return { number, provider: deployment.provider, deployment: deployment.id, startedAtMs, endedAtMs, status, ...end };
}

const failureCodes = {
  unreachable: 'upstream_unreachable',
  timeout: 'upstream_timeout',
  truncated: 'upstream_truncated',
  too_long: 'answer_too_long',
  unusable: 'upstream_error',
} as const satisfies Record<string, ErrorCode>;

/** The failure of a call whose attempts brought no answer. */
export function failAttempts<T>(
  context: CallContext,
  result: Exclude<AttemptsResult<T>, { kind: 'accepted' }>,
  evidence: Pick<EvidenceWatch, 'isTooLow'> | null = null,
): CallFailure {
  const { clientGone, reason } = context.watch;
  const { failed: attempts, retries } = result;
  if (clientGone) return new CallFailure({ reason: 'client_gone', attempts });
  const headers = retryHeaders(retries);
  if (result.kind === 'refused') {
    return new CallFailure({ reason: 'upstream_error', attempts, refusal: result.refusal, headers });
  }
  if (result.kind === 'unavailable') {
    const facts = { retryAfterSeconds: Math.ceil(result.retryAfterMs / 1_000) };
    return new CallFailure({ reason: 'no_deployment_available', attempts, headers, facts });
  }
  if (result.failure === 'unusable' && evidence?.isTooLow) {
    return new CallFailure({ reason: 'evidence_too_low', attempts, headers });
  }
  const code = result.failure === 'aborted' ? codeOfGivingUp(reason) : failureCodes[result.failure];
  return new CallFailure({ reason: code, attempts, headers });
}

/** The failure of a call whose answer broke off after it was accepted: there is no way back to another deployment. */
export function failAnswer(
  context: CallContext,
  options: { failed: readonly AttemptRecord[]; attempt: OpenAttempt; cause: unknown },
): CallFailure {
  const { cause } = options;
  const { clientGone, reason } = context.watch;
  const failure = cause instanceof TransportError ? cause.failure : cause instanceof UnusableAnswer ? 'unusable' : null;
  const record = closeAttempt(context, options.attempt, {
    outcome: failure === null ? 'aborted' : failure === 'unusable' ? 'refused' : reachedOutcome(failure),
    usage: null,
    usageKind: 'unknown',
  });
  const attempts = [...options.failed, record];
  if (clientGone) return new CallFailure({ reason: 'client_gone', attempts, cause });
  if (failure === null) return new CallFailure({ reason: 'internal_error', attempts, cause });
  if (failure === 'aborted') return new CallFailure({ reason: codeOfGivingUp(reason), attempts, cause });
  const refusal = cause instanceof BrokenStream ? { refusal: { status: 502, error: cause.error, headers: {} } } : {};
  return new CallFailure({ reason: failureCodes[failure], attempts, cause, ...refusal });
}

/** What the client is told of a failure. */
export function errorOfReason(failure: CallFailure): AutoPayError {
  const { facts, headers, reason, refusal } = failure;
  const code = reason === 'client_gone' ? 'internal_error' : reason;
  if (refusal) return new CallError(code, refusal.error.message, { refusal, headers, cause: failure });
  return new CallError(code, messages[code] ?? messages.internal_error, { facts, headers, cause: failure });
}

const messages: Partial<Record<ErrorCode, string>> & { internal_error: string } = {
  upstream_error: 'The provider failed. Nothing was charged. Try again, or use another model.',
  upstream_unreachable: 'The provider cannot be reached. Nothing was charged. Try again later.',
  upstream_timeout: 'The provider did not answer in time. Nothing was charged. Try again later.',
  no_deployment_available:
    'All providers of this model rest after failures, or are at their limits. Nothing was charged. Try again when Retry-After says, or use another model.',
  upstream_truncated: 'The provider broke off its answer. Nothing was charged. Try again.',
  evidence_too_low:
    'The answer came without the evidence that is demanded. Nothing was charged. Try again, or demand a lower tier.',
  answer_too_long: 'The answer is longer than this relay allows. Nothing was charged. Ask for less.',
  internal_error: 'The relay failed. Nothing was charged that was not receipted. Try again later.',
};

function codeOfGivingUp(reason: GiveUpReason | null): ErrorCode {
  return reason === 'call_timeout' ? 'upstream_timeout' : 'internal_error';
}

function reachedOutcome(failure: TransportError['failure']): AttemptRecord['outcome'] {
  // The headers had come, so what broke now is a truncated answer.
  return failure === 'unreachable' ? 'truncated' : outcomeOfFailure(failure);
}
