const receiptMarker = ': autopay-receipt ';
const doneMarker = 'data: [DONE]';
/** How a relay ends a stream that is not whole (docs/PROTOCOL.md, "Streams"). */
const errorMarkers = ['data: {"error"', 'event: error'];
const paymentEvent = /^event: ?payment-receipt\r?\n$/;
/** Starts of lines that must be seen whole before they may pass. */
const markers = [receiptMarker, doneMarker, ...errorMarkers, 'event: payment-receipt', 'event:payment-receipt'];
/** A signed receipt is about 3 KiB; a longer line that begins like one is passed on and not taken for a receipt. */
const maxHeldBytes = 65_536;
const newline = 0x0a;
const carriageReturn = 0x0d;

/** What a stream carried for the wallet. */
export interface StreamEvidence {
  /** The base64 receipt of the last receipt comment; undefined if there was none. */
  receipt: string | undefined;
  /** Every byte before that comment; undefined if there were more than `maxRetainedBytes`. */
  bytesBefore: Buffer | undefined;
}

/** Takes an event stream apart as it passes. */
export interface StreamFilter {
  /** The bytes to pass on now; may be empty. */
  push(chunk: Uint8Array): Promise<Buffer>;
  /** The bytes to pass on at the end of the stream. */
  finish(): Promise<Buffer>;
  /**
   * The stream was cut: tells of its receipt if there was one. An answer that was broken off may be charged.
   * @returns what ended it: a receipt; an error event of the relay, which charges nothing then; or nothing that says what was charged.
   */
  breakOff(): Promise<'receipt' | 'error' | 'silence'>;
}

/**
 * Filters a relay's event stream (docs/PROTOCOL.md, "Streams"): finds the receipt comment, which stays in, and takes
 * `event: payment-receipt` out, because OpenAI clients fail on named events. Bytes are passed on as they come; only the
 * start of a line that may turn out to be one of these waits for its rest.
 * @param options.onEvidence called once, and awaited before `[DONE]` passes; at the latest at the end of the stream.
 * @param options.maxRetainedBytes bound of the copy that is kept to check the commitment.
 */
export function createStreamFilter(options: {
  onEvidence: (evidence: StreamEvidence) => Promise<void>;
  maxRetainedBytes: number;
}): StreamFilter {
  const retained = new RetainedBytes(options.maxRetainedBytes);
  let evidence: StreamEvidence = { receipt: undefined, bytesBefore: undefined };
  let isReported = false;
  let hasError = false;
  let held: Buffer = Buffer.alloc(0);
  let strippedLineBytes = 0;
  let mode: 'undecided' | 'pass' | 'strip' = 'undecided';

  async function report(): Promise<void> {
    if (isReported) return;
    isReported = true;
    await options.onEvidence(evidence);
  }

  /** Decides about the line that begins with `held`; returns what may pass. */
  async function decide(isComplete: boolean): Promise<Buffer> {
    const line = held.toString('latin1');
    const mayBeMarker = markers.some((marker) => line.startsWith(marker) || marker.startsWith(line));
    if (!isComplete && mayBeMarker && held.length < maxHeldBytes) return Buffer.alloc(0);
    const bytes = held;
    held = Buffer.alloc(0);
    if (isComplete && paymentEvent.test(line)) {
      mode = 'strip';
      return Buffer.alloc(0);
    }
    mode = isComplete ? 'undecided' : 'pass';
    if (isComplete && line.startsWith(receiptMarker)) {
      evidence = {
        receipt: line.slice(receiptMarker.length).trim(),
        bytesBefore: retained.all(),
      };
    }
    if (errorMarkers.some((marker) => line.startsWith(marker))) hasError = true;
    if (line.startsWith(doneMarker)) await report();
    retained.push(bytes);
    return bytes;
  }

  async function takeLinePart(part: Buffer, isComplete: boolean): Promise<Buffer> {
    if (mode === 'strip') {
      // The event ends with an empty line, which goes with it.
      strippedLineBytes += part.filter((byte) => byte !== newline && byte !== carriageReturn).length;
      if (!isComplete) return Buffer.alloc(0);
      if (strippedLineBytes === 0) mode = 'undecided';
      strippedLineBytes = 0;
      return Buffer.alloc(0);
    }
    if (mode === 'pass') {
      if (isComplete) mode = 'undecided';
      retained.push(part);
      return part;
    }
    held = Buffer.concat([held, part]);
    return decide(isComplete);
  }

  return {
    async push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const passed: Buffer[] = [];
      for (let start = 0; start < bytes.length;) {
        const end = bytes.indexOf(newline, start);
        const next = end === -1 ? bytes.length : end + 1;
        passed.push(await takeLinePart(bytes.subarray(start, next), end !== -1));
        start = next;
      }
      return Buffer.concat(passed);
    },
    async breakOff() {
      if (evidence.receipt === undefined) return hasError ? 'error' : 'silence';
      await report();
      return 'receipt';
    },
    async finish() {
      await report();
      return mode === 'undecided' ? held : Buffer.alloc(0);
    },
  };
}

/** A copy of what passed, up to a bound. */
class RetainedBytes {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) this.#parts = [];
    else this.#parts.push(part);
  }

  /** Everything; undefined if it was more than the bound. */
  all(): Buffer | undefined {
    return this.#bytes > this.#maxBytes ? undefined : Buffer.concat(this.#parts);
  }
}
