import { setTimeout as sleep } from 'node:timers/promises';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CallAnswer, StoredAnswer } from '../ledger/ledger.ts';
import { CallError } from './call-error.ts';
import { CallWatch } from './call-watch.ts';
import type { Charged } from './charge-call.ts';
import { endStream, finishPayment } from './finish-payment.ts';
import type { CallDeps, CallRequest, ResponseSink } from './types.ts';

/** One request that came before. */
export interface ReplayContext {
  deps: CallDeps;
  request: CallRequest;
  sink: ResponseSink;
}

/** How often the books are asked about a call that runs elsewhere: first, and at most. */
const firstPauseMs = 25;
const maxPauseMs = 1_000;
const pieceBytes = 65_536;

/**
 * Gives the answer of an earlier call again: the same bytes, call id and receipt, and no charge. While that call is under way
 * it waits for it: one of this process by its end, another (of a process that crashed, or of another relay) by the books.
 *
 * @param callId the earlier call's
 * @returns false if that call failed, so that its request may be made anew
 * @throws AutoPayError `idempotent_repeat` if it does not end within a call's time, or too many wait for it, `answer_not_kept`, `overloaded`; as `finish` of the payment
 */
export async function replayCall(context: ReplayContext, callId: string): Promise<boolean> {
  const found = await awaitAnswer(context, callId);
  if (found === 'client_gone') return true;
  if (found.state === 'released') return false;
  await giveAgain(context, callId, found);
  return true;
}

async function awaitAnswer(context: ReplayContext, callId: string): Promise<CallAnswer | 'client_gone'> {
  const endWait = context.deps.running.beginWait(callId);
  if (!endWait) throw stillRunning(callId);
  try {
    return await pollAnswer(context, callId);
  } finally {
    endWait();
  }
}

async function pollAnswer({ deps, sink }: ReplayContext, callId: string): Promise<CallAnswer | 'client_gone'> {
  const { callTimeoutMs, drainTimeoutMs } = deps.limits;
  const patience = AbortSignal.timeout(callTimeoutMs + drainTimeoutMs);
  const leaving = new AbortController();
  sink.onClose(() => leaving.abort());
  const signal = AbortSignal.any([patience, leaving.signal]);
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, maxPauseMs)) {
    const end = deps.running.find(callId);
    if (end) await Promise.race([end, stopped]);
    const found = await deps.running.ask(callId, (id) => deps.ledger.findAnswer(id));
    if (!found) throw new AutoPayError('internal_error', `The books have lost call ${callId}. Try again later.`);
    if (found.state !== 'reserved') return found;
    if (sink.closed) return 'client_gone';
    if (patience.aborted) throw stillRunning(callId);
    await Promise.race([sleep(pauseMs), stopped]);
  }
}

function stillRunning(callId: string): AutoPayError {
  const message = 'The first call with this Idempotency-Key is still under way. Ask again later, with the same key.';
  return new AutoPayError('idempotent_repeat', message, { facts: { callId } });
}

async function giveAgain(context: ReplayContext, callId: string, { answer, result }: CallAnswer): Promise<void> {
  if (!result) throw new AutoPayError('internal_error', `The charge of call ${callId} is missing. Try again later.`);
  const { signedReceipt: receipt } = result;
  const sameCall = { 'x-autopay-call-id': callId, 'idempotent-replayed': 'true' };
  if (!answer) {
    const message =
      'This request was answered and charged, but its answer is not kept: it broke off, was too long, or is too old. Take a new Idempotency-Key, or a new payment, to ask anew.';
    throw new CallError('answer_not_kept', message, { headers: { ...sameCall, 'x-autopay-receipt': receipt } });
  }
  const endReplay = context.deps.running.beginReplay(answer.body.length);
  if (!endReplay)
    throw new AutoPayError('overloaded', 'The relay is repeating as much as it can. Try again in a second.');
  try {
    await send(context, { answer, charged: { receipt, result }, sameCall });
  } finally {
    endReplay();
  }
}

async function send(
  context: ReplayContext,
  options: { answer: StoredAnswer; charged: Charged; sameCall: Record<string, string> },
): Promise<void> {
  const { sink } = context;
  const { answer, charged } = options;
  const headers = { 'content-type': answer.contentType, ...answer.headers, ...options.sameCall };
  if (answer.contentType.startsWith('text/event-stream')) {
    sink.start(200, headers);
    await writeAll(context, answer.body);
    return endStream(context, charged);
  }
  const finished = await finishPayment(context, charged);
  const length = String(answer.body.length);
  sink.start(200, {
    ...headers,
    'content-length': length,
    'x-autopay-receipt': charged.receipt,
    'x-autopay-cost': String(charged.result.receipt.amount),
    ...finished.headers,
  });
  await writeAll(context, answer.body);
  sink.end();
}

/** Writes at the pace of the client, which is given up where it takes nothing for too long. */
async function writeAll({ deps, sink }: ReplayContext, body: Uint8Array): Promise<void> {
  const watch = new CallWatch({ sink, limits: deps.limits, durable: Promise.resolve() });
  try {
    for (let at = 0; at < body.length && !watch.clientGone; at += pieceBytes) {
      await watch.write(body.subarray(at, at + pieceBytes));
    }
  } finally {
    watch.end();
  }
}
