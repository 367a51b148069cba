import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { AttemptRecord } from '../ledger/ledger.ts';
import { buildUpstreamBody } from './build-upstream-body.ts';
import { CallError } from './call-error.ts';
import type { CallWatch, GiveUpReason } from './call-watch.ts';
import type { PreparedCall } from './prepare-call.ts';
import type { ReservedCall } from './reserve-call.ts';
import {
  UnusableAnswer,
  type AttemptPlan,
  type AttemptsResult,
  type OpenAttempt,
  type UpstreamRefusal,
} from './router.ts';
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

  constructor(options: {
    reason: ErrorCode | 'client_gone';
    attempts: readonly AttemptRecord[];
    refusal?: UpstreamRefusal;
    cause?: unknown;
  }) {
    super(`the call ended with ${options.reason}`, { cause: options.cause });
    this.reason = options.reason;
    this.attempts = options.attempts;
    this.refusal = options.refusal ?? null;
  }
}

/** The attempts of a call, as the router is to make them. */
export function planAttempts<T>(context: CallContext, accept: AttemptPlan<T>['accept']): AttemptPlan<T> {
  const { call, request, reserved, watch } = context;
  const { chat, route } = call;
  return {
    deployments: route.deployments,
    bodyFor: (deployment) =>
      buildUpstreamBody({ body: request.body, chat, route, deployment, outputTokens: reserved.quote.outputTokens }),
    stream: chat.stream,
    signal: watch.signal,
    mayRetry: () => !watch.clientGone && watch.reason === null,
    accept,
  };
}

/** The record of an attempt that has ended. */
export function closeAttempt(
  context: CallContext,
  attempt: OpenAttempt,
  end: Pick<AttemptRecord, 'outcome' | 'usage' | 'usageKind'>,
): AttemptRecord {
  const { number, deployment, startedAtMs, status } = attempt;
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
): CallFailure {
  const { clientGone, reason } = context.watch;
  const attempts = result.failed;
  if (clientGone) return new CallFailure({ reason: 'client_gone', attempts });
  if (result.kind === 'refused') {
    return new CallFailure({ reason: 'upstream_error', attempts, refusal: result.refusal });
  }
  const code = result.failure === 'aborted' ? codeOfGivingUp(reason) : failureCodes[result.failure];
  return new CallFailure({ reason: code, attempts });
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
  const { reason, refusal } = failure;
  const code = reason === 'client_gone' ? 'internal_error' : reason;
  if (refusal) return new CallError(code, refusal.error.message, { refusal, cause: failure });
  return new AutoPayError(code, messages[code] ?? messages.internal_error, { cause: failure });
}

const messages: Partial<Record<ErrorCode, string>> & { internal_error: string } = {
  upstream_error: 'The provider failed. Nothing was charged. Try again, or use another model.',
  upstream_unreachable: 'The provider cannot be reached. Nothing was charged. Try again later.',
  upstream_timeout: 'The provider did not answer in time. Nothing was charged. Try again later.',
  upstream_truncated: 'The provider broke off its answer. Nothing was charged. Try again.',
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
