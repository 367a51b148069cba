import type { IncomingMessage } from 'node:http';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** How much of strangers' bodies may be in memory at one time, and for how long. */
export interface BodyLimits {
  /** Of one body that comes with a payment. */
  maxBodyBytes: number;
  /** Of one body that comes without; never above `maxBodyBytes`. */
  maxUnpaidBodyBytes: number;
  /** Requests whose body is being read or whose payment is being checked. */
  maxBodies: number;
  /** The memory of all their bodies. */
  maxTotalBytes: number;
  /** From a request's headers to its body's last byte. */
  deadlineMs: number;
}

/** A body that is whole. It counts against the limits until it is released. */
export interface HeldBody {
  /** Exactly as the client sent them. */
  bytes: Buffer;
  /** Call once the payment is decided, however it was. Repeats do nothing. */
  release(): void;
}

/** Reads bodies before anything is known of who sends them. */
export interface BodyReader {
  /**
   * Reads a JSON request's body. Where there is no room for one more, the one that has been coming for longest makes it: honest
   * bodies come in moments, so silent or slow connections cannot keep others out.
   *
   * @throws AutoPayError `unsupported_media_type`, `body_too_large`, `overloaded`, `invalid_request` (too slow, or broken off)
   */
  read(request: IncomingMessage): Promise<HeldBody>;
}

/** The defaults of what is not configured. */
const defaultLimits = { maxUnpaidBodyBytes: 256 * 2 ** 10, maxBodies: 4096, deadlineMs: 10_000 };
const leastTotalBytes = 128 * 2 ** 20;
/** The total holds at least this many of the largest bodies. */
const leastBodies = 4;

/**
 * Makes a reader. The total of bytes is 128 MiB, or four of the largest bodies if that is more, unless it is given.
 *
 * @param isPaid whether a request seems to carry a payment, of which the limit depends
 */
export function createBodyReader(
  limits: Pick<BodyLimits, 'maxBodyBytes'> & Partial<BodyLimits>,
  isPaid: (request: IncomingMessage) => boolean,
): BodyReader {
  const { maxBodyBytes } = limits;
  const maxTotalBytes = Math.max(leastTotalBytes, leastBodies * maxBodyBytes);
  const all: BodyLimits = { ...defaultLimits, maxTotalBytes, ...limits };
  const held = { bodies: 0, bytes: 0 };
  /** Those that still come, the oldest first: each as what breaks it off. */
  const coming = new Set<(error: AutoPayError) => void>();

  function breakOffOldest(): boolean {
    const [oldest] = coming;
    oldest?.(overloaded());
    return oldest !== undefined;
  }

  async function read(request: IncomingMessage): Promise<HeldBody> {
    requireJson(request);
    const lengthLimit = lengthLimitOf(isPaid(request), all);
    const declaredBytes = Number(request.headers['content-length'] ?? lengthLimit.bytes);
    if (declaredBytes > lengthLimit.bytes) throw lengthLimit.error();
    if (held.bodies >= all.maxBodies && !breakOffOldest()) throw overloaded();

    const { promise, resolve, reject } = Promise.withResolvers<HeldBody>();
    const body = new GrowingBody(declaredBytes);
    let isHeld = true;
    held.bodies += 1;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      held.bodies -= 1;
      held.bytes -= body.capacityBytes;
    };
    const onData = (chunk: Buffer) => {
      if (body.lengthBytes + chunk.length > lengthLimit.bytes) return void fail(lengthLimit.error());
      const growthBytes = body.growthFor(chunk);
      while (isHeld && held.bytes + growthBytes > all.maxTotalBytes) if (!breakOffOldest()) fail(overloaded());
      if (!isHeld) return;
      held.bytes += growthBytes;
      body.append(chunk);
    };
    const onEnd = () => {
      stopListening();
      resolve({ bytes: body.bytes(), release });
    };
    const onClose = () => fail(new AutoPayError('invalid_request', 'The request ended before its body was complete.'));
    const deadline = setTimeout(() => fail(tooSlow(all.deadlineMs)), all.deadlineMs);
    const stopListening = () => {
      clearTimeout(deadline);
      coming.delete(fail);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
    };
    const fail = (error: AutoPayError) => {
      stopListening();
      release();
      body.clear();
      reject(error);
    };
    coming.add(fail);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
    return promise;
  }
  return { read };
}

/**
 * The bytes that came so far, in one piece of memory: many small pieces would cost far more than their bytes. It grows by
 * doubling, so no more is taken than twice what a client really sent, whatever length it declares.
 */
class GrowingBody {
  lengthBytes = 0;
  readonly #maxBytes: number;
  #store: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get capacityBytes(): number {
    return this.#store.length;
  }

  /** How much memory `append` will take in addition. */
  growthFor(chunk: Buffer): number {
    const needed = this.lengthBytes + chunk.length;
    if (needed <= this.#store.length) return 0;
    if (this.lengthBytes === 0) return chunk.length;
    return Math.max(needed, Math.min(2 * this.#store.length, this.#maxBytes)) - this.#store.length;
  }

  append(chunk: Buffer): void {
    const growthBytes = this.growthFor(chunk);
    if (this.lengthBytes === 0) {
      // Most bodies come in one piece; it is kept as it is.
      this.#store = chunk;
    } else {
      if (growthBytes > 0) {
        const larger = Buffer.allocUnsafeSlow(this.#store.length + growthBytes);
        this.#store.copy(larger);
        this.#store = larger;
      }
      chunk.copy(this.#store, this.lengthBytes);
    }
    this.lengthBytes += chunk.length;
  }

  bytes(): Buffer {
    return this.#store.subarray(0, this.lengthBytes);
  }

  clear(): void {
    this.#store = Buffer.alloc(0);
  }
}

function lengthLimitOf(
  isPaid: boolean,
  { maxBodyBytes, maxUnpaidBodyBytes }: BodyLimits,
): { bytes: number; error: () => AutoPayError } {
  if (isPaid || maxBodyBytes <= maxUnpaidBodyBytes) {
    const message = `The body is larger than the ${maxBodyBytes} bytes that this relay takes. Send less.`;
    return { bytes: maxBodyBytes, error: () => new AutoPayError('body_too_large', message) };
  }
  const message =
    `Without a payment this relay takes ${maxUnpaidBodyBytes} bytes of body, with it ${maxBodyBytes}. ` +
    'Send the payment with the body; a shorter request without one is told how to pay.';
  return { bytes: maxUnpaidBodyBytes, error: () => new AutoPayError('body_too_large', message) };
}

function overloaded(): AutoPayError {
  return new AutoPayError('overloaded', 'The relay is receiving as much as it can take. Try again in a second.');
}

function tooSlow(deadlineMs: number): AutoPayError {
  const message = `The body was not complete within ${deadlineMs / 1000} s. Send it faster, or less of it.`;
  return new AutoPayError('invalid_request', message);
}

function requireJson(request: IncomingMessage): void {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new AutoPayError('unsupported_media_type', 'Send the body as "Content-Type: application/json".');
  }
  if (encoding.toLowerCase() !== 'identity') {
    throw new AutoPayError('unsupported_media_type', 'Send the body without Content-Encoding.');
  }
}
