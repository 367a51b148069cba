import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ChargeResult } from '../ledger/ledger.ts';
import { CallError } from './call-error.ts';
import type { Charged } from './charge-call.ts';
import { endpointOf } from './endpoints/list-endpoints.ts';
import type { CallDeps, CallRequest, FinishedPayment, ResponseSink } from './types.ts';

/** What a payment is finished with. */
interface FinishContext {
  deps: Pick<CallDeps, 'onUnfinished'>;
  request: CallRequest;
}

/**
 * Lets the method of payment finish before the answer begins, and waits for it.
 * @throws CallError with the receipt: what was charged stays charged, and the same request again gets the answer.
 */
export async function finishPayment({ request }: FinishContext, charged: Charged): Promise<FinishedPayment> {
  try {
    return await finish(request, charged.result);
  } catch (cause) {
    const headers = { 'x-autopay-receipt': charged.receipt };
    if (cause instanceof AutoPayError) {
      throw new CallError(cause.code, cause.message, { headers, facts: cause.facts, cause });
    }
    const message = 'The call is charged, but its payment could not be finished. Send the same request again.';
    throw new CallError('settlement_pending', message, { headers, cause });
  }
}

/** Lets the method finish after the answer has gone. What fails then is a loss to be reported, not an error of the client's. */
export function finishLater({ deps, request }: FinishContext, result: ChargeResult): void {
  Promise.resolve()
    .then(() => finish(request, result))
    .catch((error: unknown) => deps.onUnfinished?.({ callId: result.receipt.callId, error }));
}

/**
 * Ends a whole stream: its last event, if that was held, the receipt, what its API closes with (`[DONE]`), and, for those who asked for
 * named events, those of the payment. The receipt is a comment, since OpenAI's clients break on named events; the events follow
 * `[DONE]`, where those clients no longer read. Where an event of the API ends the stream there are none: its clients read on.
 * @param ending the event that was held; null for none.
 */
export async function endStream(
  context: FinishContext & { sink: ResponseSink },
  charged: Charged,
  ending: Buffer | null = null,
): Promise<void> {
  const { deps, request, sink } = context;
  const { result, receipt } = charged;
  const end = endpointOf(request.path).stream?.closing ?? '';
  // ASCII, all of it.
  const comment = Buffer.from(`: autopay-receipt ${receipt}\n\n${end}`, 'latin1');
  const closing = ending ? Buffer.concat([ending, comment]) : comment;
  if (end === '' || !request.payment.wantsPaymentEvents) {
    sink.end(closing);
    return finishLater(context, result);
  }
  // What is ready by now leaves in one packet with it.
  void sink.write(closing);
  try {
    const { events } = await finish(request, result);
    sink.end(Buffer.from(events));
  } catch (error) {
    deps.onUnfinished?.({ callId: result.receipt.callId, error });
    sink.end();
  }
}

const nothing: FinishedPayment = { headers: {}, events: '' };

/** Funds that came along with a free call were not used. */
function finish({ payment }: CallRequest, result: ChargeResult): Promise<FinishedPayment> {
  return result.channel || result.payment ? payment.finish(result) : Promise.resolve(nothing);
}
