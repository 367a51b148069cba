import { CallFailure, errorOfReason, type CallContext } from './call-context.ts';
import { CallWatch } from './call-watch.ts';
import { prepareCall } from './prepare-call.ts';
import { relayJson } from './relay-json.ts';
import { relayStream } from './relay-stream.ts';
import { reserveCall } from './reserve-call.ts';
import type { CallDeps, CallRequest, CallSummary, ResponseSink } from './types.ts';

/**
 * The life of a call from its admission to its last byte (DESIGN.md §4): quote, reserve, route, meter, charge, receipt.
 *
 * Durability: nothing reaches the sink before the reservation is durable; neither `[DONE]` nor the last byte of a body
 * does before the charge is durable. A call that fails is released, never charged, and that is durable before the client
 * is told. A client that goes is charged for what was generated if the upstream's usage can still be had.
 *
 * @throws AutoPayError only while nothing has been sent: the caller answers with it. What fails later ends the stream
 *   with an error event and a broken connection; an upstream's refusal is passed on by this function itself.
 */
export async function handleCall(deps: CallDeps, request: CallRequest, sink: ResponseSink): Promise<void> {
  const call = prepareCall(deps, request.body);
  const reserved = await reserveCall(deps, request, call);
  const watch = new CallWatch({ sink, limits: deps.limits, durable: reserved.durable });
  const context: CallContext = { deps, request, sink, call, reserved, watch };
  try {
    await (call.chat.stream ? relayStream(context) : relayJson(context));
  } catch (error) {
    const failure =
      error instanceof CallFailure ? error : new CallFailure({ reason: 'internal_error', attempts: [], cause: error });
    await release(context, failure);
    await answerFailure(context, failure);
  } finally {
    watch.end();
  }
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
    await reserved.durable;
    await deps.ledger.release({ callId: request.callId, reason, attempts });
    deps.onFinish?.({ ...summary, error: failure });
  } catch (error) {
    deps.onFinish?.({ ...summary, outcome: 'failed', error });
  }
}

async function answerFailure({ sink, watch }: CallContext, failure: CallFailure): Promise<void> {
  if (watch.clientGone) return;
  const { refusal } = failure;
  const error = errorOfReason(failure);
  if (!sink.started) {
    if (!refusal) throw error;
    const body = Buffer.from(JSON.stringify({ error: refusal.error }));
    sink.start(refusal.status, {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...refusal.headers,
    });
    sink.end(body);
    return;
  }
  const { code, message, param, type } = error;
  const told = refusal?.error ?? { message, type, param, code };
  await watch.write(Buffer.from(`data: ${JSON.stringify({ error: told })}\n\n`));
  sink.destroy();
}
