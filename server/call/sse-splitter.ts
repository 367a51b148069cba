import type { ByteString } from './byte-string.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** An event grew beyond the bound. */
export class OversizedEvent extends Error {
  override readonly name = 'OversizedEvent';
}

/**
 * Cuts a byte stream into server-sent events (WHATWG HTML §9.2.6: a line ends with LF, CRLF or CR; an empty line ends an
 * event). It works on bytes, so characters that are split over TCP chunks stay whole, and it gives an event as soon as
 * its last line end has come: after CR it does not wait for a possible LF. One unfinished event is held, at most.
 */
export class SseSplitter {
  readonly #maxEventBytes: number;
  #pending: ByteString = '';
  /** The next byte begins a line. */
  #atLineStart = true;
  /** The last byte was CR: an LF right after it belongs to it. */
  #afterReturn = false;

  constructor(options: { maxEventBytes: number }) {
    this.#maxEventBytes = options.maxEventBytes;
  }

  /**
   * Takes the next bytes and gives the events that they complete: their exact bytes, empty line included, but with every
   * line end as LF. Blank lines alone make no event.
   * @throws OversizedEvent
   */
  push(chunk: ByteString): ByteString[] {
    const events: ByteString[] = [];
    const hasReturn = this.#afterReturn || chunk.includes('\r');
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      const end = findLineEnd(chunk, at, hasReturn);
      if (end > at) {
        this.#atLineStart = false;
        this.#afterReturn = false;
      }
      if (end === chunk.length) break;
      at = end + 1;
      const isReturn = chunk.charCodeAt(end) === carriageReturn;
      const secondHalf = this.#afterReturn && !isReturn;
      this.#afterReturn = isReturn;
      if (secondHalf) {
        // Left over from an event that ended with its CR already.
        if (this.#atLineStart && this.#pending === '' && start === end) start = at;
      } else if (this.#atLineStart) {
        const event = this.#take(chunk.slice(start, at));
        if (event) events.push(event);
        start = at;
      } else {
        this.#atLineStart = true;
      }
    }
    if (start < chunk.length) this.#hold(chunk.slice(start));
    return events;
  }

  /** Whether an event has begun and not ended. */
  get hasPending(): boolean {
    return this.#pending !== '';
  }

  #take(tail: ByteString): ByteString | undefined {
    const event = this.#pending + tail;
    this.#pending = '';
    if (event.length > this.#maxEventBytes) this.#refuse();
    return event.length <= 1 ? undefined : withLineFeeds(event);
  }

  #hold(bytes: ByteString): void {
    this.#pending += bytes;
    if (this.#pending.length > this.#maxEventBytes) this.#refuse();
  }

  #refuse(): never {
    throw new OversizedEvent(`an event is longer than ${this.#maxEventBytes} bytes`);
  }
}

/** The offset of the next CR or LF; the length if there is none. */
function findLineEnd(chunk: ByteString, from: number, hasReturn: boolean): number {
  if (!hasReturn) {
    const at = chunk.indexOf('\n', from);
    return at < 0 ? chunk.length : at;
  }
  let at = from;
  while (at < chunk.length && !isLineEnd(chunk.charCodeAt(at))) at += 1;
  return at;
}

function isLineEnd(code: number): boolean {
  return code === lineFeed || code === carriageReturn;
}

function withLineFeeds(event: ByteString): ByteString {
  return event.includes('\r') ? event.replaceAll(/\r\n?/g, '\n') : event;
}
