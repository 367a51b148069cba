import type { Dispatcher } from 'undici';
import { TransportError, type UpstreamResponse } from '../call/transport.ts';
import { readFailure } from './read-failure.ts';

/** What is held of a body that nobody reads; then its connection is not read on. */
const maxHeldBytes = 65_536;

/**
 * Sends a request, and resolves with the head of its answer, as a handler of undici's own interface: `request` would make a stream, its iterator
 * and their events of every answer, which took a tenth of the main thread.
 * @throws TransportError if no answer came, or as soon as the signal aborts, though the request may still wait for a connection.
 */
export function dispatchRequest(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal,
): Promise<UpstreamResponse> {
  const answer = new DispatchedAnswer(signal);
  if (!signal.aborted) dispatcher.dispatch(options, answer);
  return answer.head;
}

/** One answer, from its request to its last byte. Its body is read by one reader. */
class DispatchedAnswer implements Dispatcher.DispatchHandler, AsyncIterableIterator<Uint8Array> {
  readonly #signal: AbortSignal;
  readonly #head = Promise.withResolvers<UpstreamResponse>();
  #controller: Dispatcher.DispatchController | null = null;
  #hasHead = false;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  /** Nothing more will come. */
  #isEnded = false;
  /** Why it is not whole. */
  #error: TransportError | null = null;
  /** What a reader waits for. */
  #news: PromiseWithResolvers<void> | null = null;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    if (signal.aborted) this.handleEvent();
    else signal.addEventListener('abort', this, { once: true });
  }

  get head(): Promise<UpstreamResponse> {
    return this.#head.promise;
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.#leave(this.#signal.reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for a connection.
    if (this.#error) controller.abort(this.#error);
    else this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Dispatcher.ResponseData['headers'],
  ): void {
    if (status < 200) return;
    // A stream would hold these slices, and the read that they are of, until its end: 3 KB.
    controller.rawHeaders = null;
    this.#hasHead = true;
    this.#head.resolve({ status, headers: firstHeaders(headers), body: this, destroy: () => this.#destroy() });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#isEnded) return;
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes >= maxHeldBytes) controller.pause();
    this.#wake();
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_: unknown, error: Error): void {
    this.#end(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** What has come since: a reader goes on when all of one read of the network is there. @throws TransportError */
  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#heldBytes > 0) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#error) return Promise.reject(this.#error);
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    this.#news ??= Promise.withResolvers();
    return this.#news.promise.then(() => this.next());
  }

  /** The reader leaves. */
  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#destroy();
    return { done: true, value: undefined };
  }

  #take(): Uint8Array {
    const chunks = this.#chunks;
    const [only] = chunks;
    const bytes = only && chunks.length === 1 ? only : Buffer.concat(chunks, this.#heldBytes);
    this.#chunks = [];
    this.#heldBytes = 0;
    // At once more may come of what was held back.
    this.#controller?.resume();
    return bytes;
  }

  #destroy(): void {
    if (!this.#isEnded || this.#heldBytes > 0) this.#leave(new Error('the answer was left'));
  }

  /** Ends it at once: what was not read is lost, and so is its connection, unless all of the answer has come. */
  #leave(reason: unknown): void {
    const controller = this.#controller;
    this.#chunks = [];
    this.#heldBytes = 0;
    this.#end(reason);
    this.#error ??= this.#describe(reason);
    controller?.abort(this.#error);
  }

  #end(error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#controller = null;
    this.#signal.removeEventListener('abort', this);
    if (error !== undefined) {
      this.#error = this.#describe(error);
      if (!this.#hasHead) this.#head.reject(this.#error);
    }
    this.#wake();
  }

  #describe(error: unknown): TransportError {
    const failure = readFailure(error, { afterHeaders: this.#hasHead, signal: this.#signal });
    return new TransportError(failure, String(error), error);
  }

  #wake(): void {
    this.#news?.resolve();
    this.#news = null;
  }
}

/** The first of each, but of `www-authenticate` all: each way to pay may have a line of its own. */
function firstHeaders(headers: Dispatcher.ResponseData['headers']): UpstreamResponse['headers'] {
  const first: Record<string, string | undefined> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (!Array.isArray(value)) first[name] = value;
    else first[name] = name === 'www-authenticate' ? value.join(', ') : value[0];
  }
  return first;
}
