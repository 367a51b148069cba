import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { errorBody } from './error-response.ts';

/** At the start of a line: what a model says may have the same words in it, but no line break. The space is optional (HTML, "Server-sent events"). */
const doneMarker = /\ndata: ?\[DONE\]/;
const errorMarker = /\ndata: ?\{"error"/;
/** The longest part of a marker that can stand at the end of a piece. */
const overlap = '\ndata: {"error"'.length - 1;

/**
 * Lets a stream of chat completions end as whole only if it is. One that is cut, or ends without `[DONE]`, gets an error event and then
 * breaks: some clients take half an answer without an error for the answer. Nothing is held back.
 * @param answer any answer; others than such streams are returned as they are.
 */
export function requireWholeStream(url: string, answer: Response): Response {
  const { status, statusText, headers, body } = answer;
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  if (!answer.ok || body === null || !isStream || !new URL(url).pathname.endsWith('/chat/completions')) return answer;
  return new Response(watch(body), { status, statusText, headers });
}

function watch(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let tail = '\n';
  let hasDone = false;
  let hasError = false;
  /** Set once the error event is on its way: the stream breaks after it. */
  let broken: Error | undefined;

  function note(chunk: Uint8Array): void {
    const text = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    hasDone ||= doneMarker.test(text);
    hasError ||= errorMarker.test(text);
    tail = text.slice(-overlap);
  }

  function breakOff(controller: ReadableStreamDefaultController<Uint8Array>, cause: unknown): void {
    const error = new AutoPayError(
      'upstream_truncated',
      'The stream broke off, so this is not the whole answer. What was charged for it is in the receipt, or shows in the next one.',
      { cause },
    );
    if (hasError) return controller.error(error);
    broken = error;
    // The empty line ends whatever event was cut.
    controller.enqueue(Buffer.from(`\n\ndata: ${errorBody(error)}\n\n`));
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (broken) return controller.error(broken);
        try {
          const { done, value } = await reader.read();
          if (done && hasDone) return controller.close();
          if (done) return breakOff(controller, undefined);
          note(value);
          controller.enqueue(value);
        } catch (error) {
          // What breaks after the end of the answer takes nothing from it.
          if (hasDone) controller.close();
          else breakOff(controller, error);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
