import type { ServerResponse } from 'node:http';
import type { ResponseSink } from '../call/types.ts';

/** How long a broken-off answer may take to reach a client before its connection is simply dropped. */
const flushTimeoutMs = 5_000;

/** Up to this an answer's last bytes are copied, which is less work than to send them apart from its head. */
const maxJoinedBytes = 16_384;

/** A sink that writes to an HTTP response, unbuffered, at the pace of the client. */
export function createResponseSink(response: ServerResponse): ResponseSink {
  return new HttpSink(response);
}

/** A class, since V8 puts the accessors of an object literal into the old space: all that they hold would wait there for a full collection. */
class HttpSink implements ResponseSink {
  readonly #response: ServerResponse;
  readonly #listeners: (() => void)[] = [];
  #started = false;
  #gone = false;
  #isHeadOut = false;

  constructor(response: ServerResponse) {
    this.#response = response;
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
    this.#response.writeHead(status, headers);
    // With the first bytes, if they are there: that is one write less of each stream.
    if (headers['content-type']?.startsWith('text/event-stream')) process.nextTick(() => this.#flushHead());
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    const response = this.#response;
    this.#isHeadOut = true;
    if (this.#gone || response.write(bytes)) return undefined;
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
    if (bytes === undefined) this.#response.end();
    // A Latin-1 string is the same bytes, and leaves with the head in one write; a buffer needs two, gathered.
    else if (bytes.length <= maxJoinedBytes)
      this.#response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'), 'latin1');
    else this.#response.end(bytes);
  }

  destroy(): void {
    if (this.#gone) return;
    this.#gone = true;
    const { socket } = this.#response;
    if (!socket) return void this.#response.destroy();
    // Without the last chunk of the chunked coding the client knows that the answer is not whole (RFC 9112 §8).
    socket.destroySoon();
    setTimeout(() => socket.destroy(), flushTimeoutMs).unref();
  }

  onClose(callback: () => void): void {
    if (this.#gone) callback();
    else this.#listeners.push(callback);
  }

  #flushHead(): void {
    if (!this.#isHeadOut && !this.#gone) this.#response.flushHeaders();
  }
}
