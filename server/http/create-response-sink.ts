import type { ServerResponse } from 'node:http';
import { byteStringOf } from '../call/byte-string.ts';
import type { ResponseSink } from '../call/types.ts';

/** How long a broken-off answer may take to reach a client before its connection is simply dropped. */
const flushTimeoutMs = 5_000;

const callIdName = 'x-autopay-call-id';

/** Up to this an answer's last bytes are copied, which is less work than to send them apart from its head. */
const maxJoinedBytes = 16_384;

/**
 * A sink that writes to an HTTP response, unbuffered, at the pace of the client.
 * @param callId goes into every answer that does not name another call
 */
export function createResponseSink(response: ServerResponse, callId: string): ResponseSink {
  return new HttpSink(response, callId);
}

/** A class, since V8 puts the accessors of an object literal into the old space: all that they hold would wait there for a full collection. */
class HttpSink implements ResponseSink {
  readonly #response: ServerResponse;
  readonly #callId: string;
  readonly #listeners: (() => void)[] = [];
  #started = false;
  #gone = false;
  #isHeadOut = false;
  #isChunked = false;

  constructor(response: ServerResponse, callId: string) {
    this.#response = response;
    this.#callId = callId;
    response.once('close', () => {
      if (response.writableEnded || this.#gone) return;
      this.#gone = true;
      for (const listener of this.#listeners.splice(0)) listener();
    });
    // A write to a connection that has just broken is reported here; 'close' follows and says it all.
    response.on('error', () => undefined);
  }

  get started(): boolean {
    return this.#started;
  }

  get closed(): boolean {
    return this.#gone;
  }

  start(status: number, headers: Readonly<Record<string, string>>): void {
    this.#started = true;
    if (this.#gone) return;
    const response = this.#response;
    response.writeHead(status, toLines(headers, this.#callId));
    // Node writes a chunk in four pieces. Framed here it is one: 10 µs instead of 12 for each event that comes by itself.
    this.#isChunked = response.chunkedEncoding;
    response.chunkedEncoding = false;
    // With the first bytes, if they are there: that is one write less of each stream.
    if (headers['content-type']?.startsWith('text/event-stream')) process.nextTick(() => this.#flushHead());
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    const response = this.#response;
    // A chunk of no length would end the answer.
    if (this.#gone || bytes.length === 0) return undefined;
    this.#isHeadOut = true;
    const isTaken = this.#isChunked ? response.write(frame(bytes), 'latin1') : response.write(bytes);
    if (isTaken) return undefined;
    return new Promise((resolve) => {
      const done = () => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.on('drain', done);
      response.on('close', done);
    });
  }

  end(bytes?: Uint8Array): void {
    this.#isHeadOut = true;
    if (this.#gone) return;
    const response = this.#response;
    if (this.#isChunked) response.end(`${bytes?.length ? frame(bytes) : ''}0\r\n\r\n`, 'latin1');
    else if (bytes === undefined) response.end();
    // A Latin-1 string is the same bytes, and leaves with the head in one write; a buffer needs two, gathered.
    else if (bytes.length <= maxJoinedBytes) response.end(byteStringOf(bytes), 'latin1');
    else response.end(bytes);
  }

  destroy(): void {
    if (this.#gone) return;
    this.#gone = true;
    breakOff(this.#response);
  }

  onClose(callback: () => void): void {
    if (this.#gone) callback();
    else this.#listeners.push(callback);
  }

  #flushHead(): void {
    if (!this.#isHeadOut && !this.#gone) this.#response.flushHeaders();
  }
}

/** Breaks an answer off that has begun, after what was written of it: without the end of the chunked coding it is not whole (RFC 9112 §8). */
export function breakOff(response: ServerResponse): void {
  const { socket } = response;
  if (!socket) return void response.destroy();
  socket.destroySoon();
  setTimeout(() => socket.destroy(), flushTimeoutMs).unref();
}

/** Name and value in turn, which Node writes as they stand: of headers that were set before, it keeps a table of 2 KB for each answer. */
function toLines(headers: Readonly<Record<string, string>>, callId: string): string[] {
  const lines = [callIdName, headers[callIdName] ?? callId];
  for (const name in headers) if (name !== callIdName) lines.push(name, headers[name] ?? '');
  return lines;
}

/** A chunk of the chunked coding (RFC 9112 §7.1). */
function frame(bytes: Uint8Array): string {
  return `${bytes.length.toString(16)}\r\n${byteStringOf(bytes)}\r\n`;
}
