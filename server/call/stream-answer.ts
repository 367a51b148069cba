import { byteStringOf, bytesOf, type ByteString } from './byte-string.ts';
import type { StreamMeter } from './endpoints/stream-step.ts';
import { EmptyAnswer, UnusableAnswer } from './router.ts';
import { OversizedEvent, SseSplitter } from './sse-splitter.ts';
import { BrokenStream } from './stream-meter.ts';
import { TransportError, type UpstreamResponse } from './transport.ts';

/** How a stream is read. */
export interface StreamOptions {
  maxBytes: number;
  /** Of one event; 1 MiB by default. */
  maxEventBytes?: number | undefined;
  /** Reads its events; of one answer only. */
  meter: StreamMeter;
}

const defaultMaxEventBytes = 1_048_576;
const emptyLines = Buffer.from('\n\n\n');
/** What may follow its end for the connection to be kept. */
const maxTrailingBytes = 65_536;

/** An upstream's stream, read chunk by chunk of the network: nothing of it is held back but an unfinished event. */
export class StreamAnswer {
  readonly meter: StreamMeter;
  readonly #response: UpstreamResponse;
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #splitter: SseSplitter;
  readonly #options: StreamOptions;
  #bytes = 0;
  #opening: Buffer | null = null;
  #sawChunk = false;
  #whole = false;
  #ending: Buffer | null = null;
  /** Found behind bytes that may still go to the client. */
  #broken: BrokenStream | TransportError | null = null;

  private constructor(response: UpstreamResponse, options: StreamOptions) {
    this.meter = options.meter;
    this.#options = options;
    this.#splitter = new SseSplitter({ maxEventBytes: options.maxEventBytes ?? defaultMaxEventBytes });
    this.#response = response;
    this.#iterator = response.body[Symbol.asyncIterator]();
  }

  /**
   * Opens a stream: reads to its first chunk, so that a stream that fails at once can still be had elsewhere. One that is
   * longer than the relay allows before that is opened all the same: it was generated, and elsewhere it would be as long.
   * @throws TransportError; UnusableAnswer if it is no event stream, or its first event is an error.
   */
  static async open(response: UpstreamResponse, options: StreamOptions): Promise<StreamAnswer> {
    const answer = new StreamAnswer(response, options);
    try {
      const type = response.headers['content-type'] ?? 'none';
      if (!/^text\/event-stream\s*(?:;|$)/i.test(type))
        throw new UnusableAnswer(`the answer's content type is ${type}`);
      const opening: Buffer[] = [];
      while (!answer.#sawChunk) {
        const bytes = await answer.#read();
        if (bytes === null && answer.#whole) throw new EmptyAnswer();
        if (bytes === null) throw new TransportError('truncated', 'the stream ended before its first chunk');
        opening.push(bytes);
      }
      answer.#opening = Buffer.concat(opening);
      return answer;
    } catch (error) {
      answer.destroy();
      if (!(error instanceof TransportError) || error.failure !== 'too_long') throw error;
      answer.#broken = error;
      return answer;
    }
  }

  /**
   * The next bytes for the client, possibly none; null at the end of a whole answer.
   * @throws TransportError, `truncated` if the stream ended early, `too_long` beyond a limit; BrokenStream.
   */
  async next(): Promise<Buffer | null> {
    const opening = this.#opening;
    if (opening === null) return this.#read();
    this.#opening = null;
    return opening;
  }

  /** The event that ended a whole answer: it MUST NOT leave before the charge is durable. Null where the relay writes its own. */
  get ending(): Buffer | null {
    return this.#ending;
  }

  /** Closes the connection. */
  destroy(): void {
    this.#response.destroy();
  }

  /** Reads what follows the end, normally nothing, so that the connection can serve the next call. Never throws. */
  async finish(): Promise<void> {
    let trailing = 0;
    try {
      for (let step = await this.#iterator.next(); !step.done; step = await this.#iterator.next()) {
        trailing += step.value.length;
        if (trailing > maxTrailingBytes) return this.destroy();
      }
    } catch {
      // The answer was whole; what became of the connection after it concerns nobody.
    }
  }

  async #read(): Promise<Buffer | null> {
    if (this.#broken) throw this.#broken;
    if (this.#whole) return null;
    const step = await this.#iterator.next();
    if (step.done) return this.#readEnd();
    const { maxBytes } = this.#options;
    const room = maxBytes - this.#bytes;
    this.#bytes += step.value.length;
    if (step.value.length <= room) return this.#takeAll(step.value);
    // What fits is taken, however much the network brings at once.
    const bytes = this.#takeAll(step.value.subarray(0, room));
    if (!this.#whole) this.#broken ??= new TransportError('too_long', `the stream is longer than ${maxBytes} bytes`);
    return bytes;
  }

  /** The connection's regular end: whole after its last event, or, where a provider sends none, if the meter says so. */
  #readEnd(): Buffer | null {
    // A last event without its empty line still counts, if it is whole; the first line end may belong to a CRLF.
    const rest = this.#splitter.hasPending ? this.#takeAll(emptyLines) : Buffer.alloc(0);
    if (!this.#whole && !this.meter.isFinished) {
      throw new TransportError('truncated', 'the stream ended without its last event');
    }
    this.#whole = true;
    return rest.length > 0 ? rest : null;
  }

  #takeAll(chunk: Uint8Array): Buffer {
    const passed: ByteString[] = [];
    for (const block of this.#split(chunk)) {
      try {
        const step = this.meter.takeEvent(block);
        if (step.kind === 'end') {
          this.#whole = true;
          this.#ending = step.bytes === null ? null : bytesOf(step.bytes);
          break;
        }
        if (step.kind === 'chunk') this.#sawChunk = true;
        if (step.kind !== 'nothing' && step.bytes !== null) passed.push(step.bytes);
      } catch (error) {
        if (!(error instanceof BrokenStream)) throw error;
        this.#broken = error;
        break;
      }
    }
    return bytesOf(passed.join(''));
  }

  #split(chunk: Uint8Array): ByteString[] {
    try {
      return this.#splitter.push(byteStringOf(chunk));
    } catch (error) {
      if (error instanceof OversizedEvent) throw new TransportError('too_long', error.message, error);
      throw error;
    }
  }
}
