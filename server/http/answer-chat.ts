import type { RequestHandler } from 'express';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { CallRequest, ResponseSink } from '../call/types.ts';
import type { Log } from '../log.ts';
import { admitPayment } from '../payments/admit-payment.ts';
import type { PaymentMethod } from '../payments/payment-method.ts';
import type { CallGate } from './call-gate.ts';
import { createResponseSink } from './create-response-sink.ts';
import { readBody } from './read-body.ts';
import { sendError } from './send-error.ts';

/** What chat completions are answered with. */
export interface AnswerChatDeps {
  gate: CallGate;
  payments: readonly PaymentMethod[];
  /** The life of a call; rejects only as long as nothing was sent. */
  handleCall(request: CallRequest, sink: ResponseSink): Promise<void>;
  /** What a call with this body would cost; undefined if the body is not understood. */
  quoteOf(body: Buffer): bigint | undefined;
  maxBodyBytes: number;
  log: Log;
}

/** `POST /v1/chat/completions`: reads the request, admits its payment, and hands it to the life of a call. */
export function createChatHandler(deps: AnswerChatDeps): RequestHandler {
  const { gate, payments, log } = deps;
  return async (request, response) => {
    const callId = createCallId();
    response.setHeader('x-autopay-call-id', callId);
    // Listens from here on, so that a client that leaves while its payment is checked is noticed.
    const sink = createResponseSink(response);
    let body: Buffer | undefined;
    let leave: (() => void) | undefined;
    try {
      leave = gate.enter();
      body = await readBody(request, deps.maxBodyBytes);
      const payment = await admitPayment(payments, { authorization: request.headers.authorization });
      await deps.handleCall({ callId, body, payment }, sink);
    } catch (error) {
      const quote = () => (body ? deps.quoteOf(body) : undefined);
      sendError({ request, response, error, payments, quote, log });
    } finally {
      leave?.();
    }
  };
}
