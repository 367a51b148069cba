import type { SpendTicket } from './authorize-call.ts';
import type { DirectTicket } from './pay-directly.ts';
import type { ChatCall } from './estimate-quote.ts';
import { createStreamFilter } from './filter-stream.ts';
import type { Connection, Wallet } from './open-wallet.ts';
import { freeHold, settleReceipt } from './settle-receipt.ts';

/** As long as a relay's longest answer. What is longer still is delivered, but its commitment is not checked. */
const maxRetainedBytes = 33_554_432;

/** An answer of the relay and the call that it answers. */
export interface Answer extends Connection {
  wallet: Wallet;
  response: Response;
  call: ChatCall;
  requestBytes: Uint8Array;
  /** When it was sent first, unix milliseconds. */
  sentAtMs: number;
  /** The Idempotency-Key is not this request's alone: what is replayed may be the answer to an earlier one. */
  mayBeReplay: boolean;
  /** As `PaidAnswer` has it: the quote then stays counted as spent today, unless a receipt says what it was. */
  mayBeCharged: boolean;
  /** null on a free route. It is released when the call has ended. */
  ticket: SpendTicket | DirectTicket | null;
}

/**
 * Hands an answer on and takes its receipt into the books: for JSON before it is handed on, for streams before `[DONE]` is.
 * A receipt that is missing or does not fit never costs the answer, which is paid for; the owner is warned.
 */
export async function deliverAnswer(answer: Answer): Promise<Response> {
  const { response, ticket, mayBeCharged } = answer;
  const { status, statusText, headers } = response;
  if (!response.ok || response.body === null) {
    try {
      // An answer that was broken off at a limit is charged for what was read of it; its bytes stayed at the relay.
      const receipt = headers.get('x-autopay-receipt');
      if (receipt !== null) await settleReceipt(answer, { receipt, responseBytes: undefined });
      else if (!response.ok && !mayBeCharged) await freeHold(answer);
      return response;
    } finally {
      ticket?.release();
    }
  }
  if (headers.get('content-type')?.startsWith('text/event-stream')) {
    return new Response(filterBody(response.body, answer), { status, statusText, headers });
  }
  try {
    const bytes = await response.bytes();
    const receipt = headers.get('x-autopay-receipt') ?? undefined;
    await settleReceipt(answer, { receipt, responseBytes: bytes.length > maxRetainedBytes ? undefined : bytes });
    return new Response(bytes, { status, statusText, headers });
  } finally {
    ticket?.release();
  }
}

/** The stream as it comes, less what is the wallet's. Reading, errors and cancelling pass through unchanged. */
function filterBody(body: ReadableStream<Uint8Array>, answer: Answer): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const filter = createStreamFilter({
    maxRetainedBytes,
    onEvidence: ({ receipt, bytesBefore }) => settleReceipt(answer, { receipt, responseBytes: bytesBefore }),
  });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          let passed: Uint8Array = new Uint8Array();
          while (passed.length === 0) {
            const { done, value } = await reader.read();
            passed = done ? await filter.finish() : await filter.push(value);
            if (passed.length > 0) controller.enqueue(passed);
            if (!done) continue;
            answer.ticket?.release();
            controller.close();
            return;
          }
        } catch (error) {
          // The stream was cut. It is not begun anew: its events are with the caller already.
          try {
            await noteCut(answer, await filter.breakOff());
          } finally {
            answer.ticket?.release();
            controller.error(error);
          }
        }
      },
      async cancel(reason) {
        // Clients leave at an error event, and at `[DONE]`.
        const ending = await filter.breakOff();
        if (ending === 'error') await noteCut(answer, ending);
        answer.ticket?.release();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Says what a stream that was cut can have cost. Until a receipt tells, its quote stays counted as spent today. */
async function noteCut(answer: Answer, ending: 'receipt' | 'error' | 'silence'): Promise<void> {
  const { wallet, response, ticket, mayBeCharged } = answer;
  if (!ticket || ending === 'receipt') return;
  if (ending === 'error' && !mayBeCharged) return freeHold(answer);
  const callId = response.headers.get('x-autopay-call-id');
  wallet.warn(
    `The stream of call ${callId} was cut before its receipt came: it may have been charged, up to ${ticket.quote} atomic units. ` +
      'The next receipt of the channel shows what it was.',
  );
}
