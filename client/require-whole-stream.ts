import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { errorBody } from './error-response.ts';

/** How an API ends a stream (docs/ENDPOINTS.md, "How a stream ends"). */
interface StreamEnding {
  /** Of the URL's path. */
  path: string;
  /** Names of the events that end a whole stream; none where `[DONE]` does. */
  endings: readonly string[];
  /** The event that its clients raise as an error. */
  writeError(error: AutoPayError): string;
}

const streamEndings: readonly StreamEnding[] = [
  { path: '/completions', endings: [], writeError: (error) => `data: ${errorBody(error)}\n\n` },
  {
    path: '/v1/responses',
    endings: ['response.completed', 'response.incomplete'],
    writeError: (error) => {
      const { code, message, param } = error;
      return writeTypedError({ code, message, param, sequence_number: 2_147_483_647 }, error);
    },
  },
  { path: '/v1/messages', endings: ['message_stop'], writeError: (error) => writeTypedError({}, error) },
];

function writeTypedError(members: object, { code, message, param, type, facts }: AutoPayError): string {
  const event = { type: 'error', ...members, error: { message, type, param, code, ...facts } };
  return `event: error\ndata: ${JSON.stringify(event)}\n\n`;
}

/**
 * Lets a stream of an answer end as whole only if it is. One that is cut, or ends without its API's last event, gets an error event and
 * then breaks: some clients take half an answer without an error for the answer. Nothing is held back.
 * @param answer any answer; others than such streams are returned as they are.
 */
export function requireWholeStream(url: string, answer: Response): Response {
  const { status, statusText, headers, body } = answer;
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  if (!answer.ok || body === null || !isStream) return answer;
  const { pathname } = new URL(url);
  const ending = streamEndings.find(({ path }) => pathname.endsWith(path));
  if (!ending) return answer;
  return new Response(watch(body, ending), { status, statusText, headers });
}

/** Of each line so much is looked at. */
const longestMarker = 64;

/**
 * Reads the lines of a stream (HTML, "Server-sent events": the space after a colon is optional). What a model says may have the same
 * words in it, but no line break.
 */
class LineWatch {
  isWhole = false;
  hasError = false;
  readonly #endings: readonly string[];
  #line = '';
  /** Of the event that is being read. */
  #name = '';

  constructor({ endings }: StreamEnding) {
    this.#endings = endings;
  }

  take(chunk: Uint8Array): void {
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      this.#extend(text, start, end);
      this.#endLine();
      start = end + 1;
    }
    this.#extend(text, start, text.length);
  }

  #extend(text: string, start: number, end: number): void {
    const room = longestMarker - this.#line.length;
    if (room <= 0 || start === end) return;
    this.#line += text.slice(start, Math.min(end, start + room));
    if (this.#endings.length > 0) return;
    this.isWhole ||= /^data: ?\[DONE\]/.test(this.#line);
    this.hasError ||= /^data: ?\{"error"/.test(this.#line);
  }

  #endLine(): void {
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    if (line === '') {
      this.isWhole ||= this.#endings.includes(this.#name);
      this.#name = '';
      return;
    }
    // Some sellers leave the name out, and have it in the data only.
    const named = /^(?:event: ?|data: ?\{"type": ?")([a-z_.]+)/.exec(line);
    this.#name = named?.[1] ?? this.#name;
    this.hasError ||= this.#name === 'error';
  }
}

function watch(body: ReadableStream<Uint8Array>, ending: StreamEnding): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const lines = new LineWatch(ending);
  /** Set once the error event is on its way: the stream breaks after it. */
  let broken: Error | undefined;

  function breakOff(controller: ReadableStreamDefaultController<Uint8Array>, cause: unknown): void {
    const error = new AutoPayError(
      'upstream_truncated',
      'The stream broke off, so this is not the whole answer. What was charged for it is in the receipt, or shows in the next one.',
      { cause },
    );
    if (lines.hasError) return controller.error(error);
    broken = error;
    // The empty line ends whatever event was cut.
    controller.enqueue(Buffer.from(`\n\n${ending.writeError(error)}`));
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (broken) return controller.error(broken);
        try {
          const { done, value } = await reader.read();
          if (done && lines.isWhole) return controller.close();
          if (done) return breakOff(controller, undefined);
          lines.take(value);
          controller.enqueue(value);
        } catch (error) {
          // What breaks after the end of the answer takes nothing from it.
          if (lines.isWhole) controller.close();
          else breakOff(controller, error);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
