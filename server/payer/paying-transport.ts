import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { readBytes } from '../call/read-json-answer.ts';
import { TransportError, type Transport, type UpstreamRequest, type UpstreamResponse } from '../call/transport.ts';
import type { JobLog } from '../chain/job-log.ts';
import { describeError } from '../log.ts';
import type { Declined, PaymentRequired, SignedPurchase, UpstreamPayer } from './upstream-payer.ts';

/** What a transport that pays works with. */
export interface PayingTransportOptions {
  transport: Transport;
  /** By the names of providers; others are not paid. */
  payers: ReadonlyMap<string, UpstreamPayer>;
  log: JobLog;
}

/** A 402 is short; of a longer body only the headers count. */
const maxBodyBytes = 65_536;

/**
 * A transport that pays providers which sell calls: on a 402 it signs what they ask, if the limits allow it, and sends the same body
 * once more. That is one attempt and at most one payment. Where it does not pay, the 402 is the answer (`unpaid`), and the router
 * goes on to another deployment.
 */
export function createPayingTransport({ transport, payers, log }: PayingTransportOptions): Transport {
  return {
    async send(request) {
      const first = await transport.send(request);
      const { attempt } = request;
      const payer = payers.get(request.deployment.provider);
      if (first.status !== 402 || payer === undefined || attempt === undefined) return first;
      const required = await readRequired(first);
      // Without it the body may have ended early; and what is not sent need not be counted.
      if (request.signal.aborted) throw givenUp();
      const purchase = await pay(payer, { request: { ...request, attempt }, required });
      if ('declined' in purchase) {
        const { declined, facts } = purchase;
        const what = { ...attempt, provider: request.deployment.provider, reason: declined, ...facts };
        log.warn(what, 'a provider asked for a payment, and was not paid');
        return unpaidAnswer(required);
      }
      return sendPaid(transport, request, purchase);
    },
  };
}

async function pay(
  payer: UpstreamPayer,
  { request, required }: { request: Parameters<UpstreamPayer['pay']>[0]; required: PaymentRequired },
): Promise<SignedPurchase | Declined> {
  try {
    return await payer.pay(request, required);
  } catch (error) {
    // The books or the chain did not answer: that is no reason to fail a call that another provider can answer.
    if (error instanceof AutoPayError) return { declined: `${error.code}: ${error.message}` };
    return { declined: `it could not be decided: ${describeError(error).message}` };
  }
}

async function sendPaid(
  transport: Transport,
  request: UpstreamRequest,
  purchase: SignedPurchase,
): Promise<UpstreamResponse> {
  if (request.signal.aborted) {
    purchase.lose();
    throw givenUp();
  }
  let response: UpstreamResponse;
  try {
    response = await transport.send({ ...request, headers: { ...request.headers, ...purchase.headers } });
  } catch (error) {
    purchase.lose();
    throw error;
  }
  return purchase.take(response);
}

function givenUp(): TransportError {
  return new TransportError('aborted', 'the attempt was given up before its payment was sent');
}

async function readRequired(response: UpstreamResponse): Promise<PaymentRequired> {
  const { headers } = response;
  try {
    const bytes = await readBytes(response.body, maxBodyBytes);
    return { headers, body: JSON.parse(bytes.toString('utf8')) as unknown };
  } catch {
    return { headers, body: null };
  } finally {
    response.destroy();
  }
}

function unpaidAnswer({ headers }: PaymentRequired): UpstreamResponse {
  return { status: 402, headers, body: emptyBody(), destroy: () => undefined, unpaid: true };
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
