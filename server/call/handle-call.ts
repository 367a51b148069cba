import { CallError } from './call-error.ts';
import { CallFailure, errorOfReason, type CallContext } from './call-context.ts';
import { CallWatch } from './call-watch.ts';
import { prepareCall } from './prepare-call.ts';
import { readIdempotency } from './read-idempotency.ts';
import { relayJson } from './relay-json.ts';
import { relayStream } from './relay-stream.ts';
import { replayCall } from './replay-call.ts';
import { payerOf, reserveCall } from './reserve-call.ts';
import type { CallDeps, CallRequest, CallSummary, ResponseSink } from './types.ts';

/**
 * The life of a call from its admission to its last byte (DESIGN.md §4): quote, reserve, route, meter, charge, receipt.
 *
 * Durability: nothing reaches the sink before the reservation is durable; neither `[DONE]` nor the last byte of a body
 * does before the charge is durable. A call that fails is released, never charged, and that is durable before the client
 * is told.
 *
 * A request that repeats an earlier paid one (by its Idempotency-Key, or by the payment itself) is answered as that was, once
 * that has ended, and charged nothing.
 *
 * Once an answer has begun, only a failure of its provider (or of the relay itself) leaves it uncharged: where the client
 * goes or stalls, or one of the relay's limits ends it, what was read of it is charged. How often a payer may meet such failures is
 * bounded (LateFailures).
 *
 * @throws AutoPayError only while nothing has been sent: the caller answers with it, and with what a CallError carries.
 *   What fails later ends the stream with an error event and a broken connection.
 */
export async function handleCall(deps: CallDeps, request: CallRequest, sink: ResponseSink): Promise<void> {
  const call = prepareCall(deps, request);
  // A free call is ordered anew each time: nobody pays twice.
  const idempotency = call.route.prices === null ? null : readIdempotency(request);
  const serve = async () => {
    for (let current = request; ; current = await renewPayment(current)) {
      const reserved = await reserveCall(deps, { request: current, call, idempotency });
      if (!('repeats' in reserved)) return runCall({ deps, request: current, sink, call, reserved });
      // The first call may have failed: then this one is tried in its place.
      if (await replayCall({ deps, request: current, sink }, reserved.repeats)) return;
    }
  };
  return idempotency === null ? serve() : deps.running.run(request.callId, serve);
}

/** A payment that was admitted because the first call had it is looked at for the first time here: nobody else will. */
async function renewPayment(request: CallRequest): Promise<CallRequest> {
  const { funds, renew } = request.payment;
  if (funds?.kind !== 'direct' || funds.payment.available !== null) return request;
  return { ...request, payment: await renew() };
}

/** A call whose quote is held. */
async function runCall(options: Omit<CallContext, 'watch'>): Promise<void> {
  const { deps, reserved, sink } = options;
  const watch = new CallWatch({ sink, limits: deps.limits, durable: reserved.durable });
  const context: CallContext = { ...options, watch };
  try {
    await (options.call.asked.stream ? relayStream(context) : relayJson(context));
    noteEnd(context, { isLate: false });
  } catch (error) {
    watch.leaveUpstream();
    // Charged, and on its way to the client.
    if (error instanceof CallError) throw error;
    const failure =
      error instanceof CallFailure ? error : new CallFailure({ reason: 'internal_error', attempts: [], cause: error });
    noteEnd(context, { isLate: sink.started || failure.reason === 'evidence_too_low' || isWasted(context, failure) });
    await release(context, failure);
    await answerFailure(context, failure);
  } finally {
    watch.end();
  }
}

/**
 * Whether what ran at a provider is billed by it, and could be sold to nobody: it answered what is no answer, such as the nothing that some
 * filters leave, or the relay gave it up for want of time, with nothing read.
 */
function isWasted({ deps, watch }: CallContext, { attempts }: CallFailure): boolean {
  if (attempts.length === 0) return false;
  if (attempts.some(({ outcome, status }) => outcome === 'refused' && status !== null && status < 300)) return true;
  return watch.reason === 'call_timeout' || (watch.reason === 'drain_timeout' && deps.limits.drainTimeoutMs > 0);
}

function noteEnd({ deps, request, reserved }: CallContext, { isLate }: { isLate: boolean }): void {
  const payer = payerOf(request.payment);
  if (payer === null || reserved.token === null) return;
  deps.running.lateFailures.note(payer, { isLate, nowMs: deps.clock.nowMs() });
}

async function release({ call, deps, request, reserved }: CallContext, failure: CallFailure): Promise<void> {
  const { attempts, reason } = failure;
  const summary: CallSummary = {
    callId: request.callId,
    model: call.route.model,
    outcome: 'released',
    reason,
    attempts,
  };
  try {
    // What never became durable needs no release: the ledger holds nothing of it.
    await Promise.all([reserved.durable, deps.ledger.release({ callId: request.callId, reason, attempts })]);
    deps.onFinish?.({ ...summary, error: failure });
  } catch (error) {
    deps.onFinish?.({ ...summary, outcome: 'failed', error });
  }
}

async function answerFailure({ call, sink, watch }: CallContext, failure: CallFailure): Promise<void> {
  if (watch.clientGone) return;
  const { refusal } = failure;
  const error = errorOfReason(failure);
  if (!sink.started) throw error;
  const { code, message, param, type } = error;
  const told = refusal?.error ?? { message, type, param, code };
  await watch.write(Buffer.from(call.endpoint.stream?.writeError(told) ?? ''));
  sink.destroy();
}
