import type { RequestHandler } from 'express';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { CallRequest, ResponseSink } from '../call/types.ts';
import type { Log } from '../log.ts';
import { admitPayment } from '../payments/admit-payment.ts';
import type { PaymentMethod } from '../payments/payment-method.ts';
import type { CallGate } from './call-gate.ts';
import { createResponseSink } from './create-response-sink.ts';
import { discardRest } from './discard-rest.ts';
import { createBodyReader, type BodyLimits, type HeldBody } from './read-body.ts';
import { sendError } from './send-error.ts';

/** What chat completions are answered with. */
export interface AnswerChatDeps {
  gate: CallGate;
  payments: readonly PaymentMethod[];
  /** The life of a call; rejects only as long as nothing was sent. */
  handleCall(request: CallRequest, sink: ResponseSink): Promise<void>;
  /** What a call with this body would cost, by token; undefined if the body is not understood. */
  quotesOf(body: Buffer): ReadonlyMap<Hex, bigint> | undefined;
  maxBodyBytes: number;
  /** What differs from the reader's defaults. */
  bodyLimits?: Partial<BodyLimits>;
  /** How long the rest of a refused body is thrown away; 5 s by default. */
  maxDiscardMs?: number;
  log: Log;
}

/**
 * `POST /v1/chat/completions`: reads the request, admits its payment, and hands it to the life of a call. Only what is whole and
 * paid for takes one of the places for calls; before that, the reader's own bounds hold.
 */
export function createChatHandler(deps: AnswerChatDeps): RequestHandler {
  const { gate, payments, log } = deps;
  const bodies = createBodyReader({ ...deps.bodyLimits, maxBodyBytes: deps.maxBodyBytes });
  return async (request, response) => {
    const callId = createCallId();
    response.setHeader('x-autopay-call-id', callId);
    // Listens from here on, so that a client that leaves while its payment is checked is noticed.
    const sink = createResponseSink(response);
    let held: HeldBody | undefined;
    let endCheck: (() => void) | undefined;
    let leave: (() => void) | undefined;
    try {
      held = await bodies.read(request);
      endCheck = gate.beginCheck();
      const payment = await admitPayment(payments, { authorization: request.headers.authorization });
      leave = gate.enter();
      endCheck();
      held.release();
      await deps.handleCall({ callId, body: held.bytes, payment }, sink);
    } catch (error) {
      const body = held?.bytes;
      const quotes = () => (body ? deps.quotesOf(body) : undefined);
      sendError({ request, response, error, payments, quotes, log });
      discardRest(request, deps.maxDiscardMs);
    } finally {
      held?.release();
      endCheck?.();
      leave?.();
    }
  };
}
