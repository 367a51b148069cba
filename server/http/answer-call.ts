import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { CallAsk } from '../call/prepare-call.ts';
import type { CallRequest, ResponseSink } from '../call/types.ts';
import type { Log } from '../log.ts';
import { admitPayment } from '../payments/admit-payment.ts';
import type { PaymentMethod } from '../payments/payment-method.ts';
import { allowOrigins } from './allow-origins.ts';
import type { CallGate } from './call-gate.ts';
import { clientAddressOf } from './client-address.ts';
import { createResponseSink } from './create-response-sink.ts';
import { discardRest } from './discard-rest.ts';
import { createBodyReader, type BodyLimits, type HeldBody } from './read-body.ts';
import { headersOf, pathOf } from './read-headers.ts';
import { sendAcknowledgement } from './send-acknowledgement.ts';
import { sendError } from './send-error.ts';

/** What calls are answered with. */
export interface AnswerCallDeps {
  gate: CallGate;
  payments: readonly PaymentMethod[];
  /** The life of a call; rejects only as long as nothing was sent. */
  handleCall(request: CallRequest, sink: ResponseSink): Promise<void>;
  /** What a request would cost, by token; undefined if it is not understood. */
  quotesOf(request: CallAsk): ReadonlyMap<Hex, bigint> | undefined;
  /** The same on one of several chains; undefined where there is one. */
  quotesOn?: ((chainId: number, request: CallAsk) => ReadonlyMap<Hex, bigint> | undefined) | undefined;
  maxBodyBytes: number;
  /** What differs from the reader's defaults. */
  bodyLimits?: Partial<BodyLimits>;
  /** How many proxies stand before the relay; 0 by default. */
  trustedProxies?: number;
  /** How long the rest of a refused body is thrown away; 5 s by default. */
  maxDiscardMs?: number;
  log: Log;
}

/**
 * `POST` on an endpoint of calls: reads the request, admits its payment, and hands it to the life of a call. Only what is whole and
 * paid for takes one of the places for calls; before that, the reader's own bounds hold.
 */
export function createCallHandler(
  deps: AnswerCallDeps,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { gate, payments, log } = deps;
  const isPaid = (request: IncomingMessage) => payments.some((method) => method.carries(headersOf(request)));
  const bodies = createBodyReader({ ...deps.bodyLimits, maxBodyBytes: deps.maxBodyBytes }, isPaid);
  return async (request, response) => {
    const callId = createCallId();
    allowOrigins(request, response);
    // Listens from here on, so that a client that leaves while its payment is checked is noticed.
    const sink = createResponseSink(response, callId);
    const headers = headersOf(request);
    const path = pathOf(request);
    let held: HeldBody | undefined;
    let endCheck: (() => void) | undefined;
    let leave: (() => void) | undefined;
    try {
      held = await bodies.read(request);
      endCheck = gate.beginCheck();
      const body = held.bytes;
      const payment = await admitPayment(payments, {
        headers,
        body,
        path,
        callId,
        quotes: () => deps.quotesOf({ body, headers, path }),
      });
      if (payment.acknowledged) {
        return sendAcknowledgement(response, { 'x-autopay-call-id': callId, ...payment.acknowledged });
      }
      leave = gate.enter();
      endCheck();
      held.release();
      const idempotencyKey = headers['idempotency-key'] ?? null;
      const clientAddress = clientAddressOf(request, deps.trustedProxies ?? 0);
      await deps.handleCall({ callId, path, body, headers, idempotencyKey, clientAddress, payment }, sink);
    } catch (error) {
      const body = held?.bytes;
      const quotes = () => (body ? deps.quotesOf({ body, headers, path }) : undefined);
      const { quotesOn } = deps;
      const onChain =
        quotesOn && ((chainId: number) => (body ? quotesOn(chainId, { body, headers, path }) : undefined));
      // First: once the answer is out, Node would throw the rest away itself, without a bound.
      discardRest(request, deps.maxDiscardMs);
      sendError({ request, response, callId, error, payments, quotes, ...(onChain && { quotesOn: onChain }), log });
    } finally {
      held?.release();
      endCheck?.();
      leave?.();
    }
  };
}
