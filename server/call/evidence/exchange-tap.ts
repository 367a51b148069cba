import { createHash } from 'node:crypto';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import type { UpstreamResponse } from '../transport.ts';
import type { KeptPart } from './evidence-collector.ts';

/** An answer whose bytes are digested as they pass. */
export interface ExchangeTap {
  response: UpstreamResponse;
  /** SHA-256 of all that has passed. */
  digest(): Hex;
  /** What was kept of it. */
  take(): Buffer;
}

/** Digests an answer's body, and keeps a part of it; all of it if `keep` is null. The bytes pass at once as they came. */
export function tapExchange(response: UpstreamResponse, keep: KeptPart | null): ExchangeTap {
  const hash = createHash('sha256');
  const kept = new KeptPieces(keep);
  async function* tap() {
    for await (const piece of response.body) {
      hash.update(piece);
      kept.add(piece);
      yield piece;
    }
  }
  const { headers, status, unpaid } = response;
  return {
    response: { status, headers, body: tap(), ...(unpaid && { unpaid }), destroy: () => response.destroy() },
    digest: () => toHex(hash.copy().digest()),
    take: () => kept.take(),
  };
}

class KeptPieces {
  readonly #keep: KeptPart | null;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** It is looked at again when twice as much is there: all looks together are at no more than twice its length. */
  #nextLookBytes = 1;
  #isFull = false;

  constructor(keep: KeptPart | null) {
    this.#keep = keep;
  }

  add(piece: Uint8Array): void {
    if (this.#isFull) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#keep?.part === 'beginning') this.#look(this.#keep);
    if (this.#keep?.part === 'end') this.#dropBefore(this.#keep.bytes);
  }

  take(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  #look({ bytes, isEnough }: KeptPart): void {
    if (this.#bytes >= bytes) this.#isFull = true;
    if (this.#isFull || !isEnough || this.#bytes < this.#nextLookBytes) return;
    this.#nextLookBytes = this.#bytes * 2;
    this.#isFull = isEnough(this.take());
  }

  #dropBefore(bytes: number): void {
    for (let [first] = this.#pieces; first && this.#bytes - first.length >= bytes; [first] = this.#pieces) {
      this.#bytes -= first.length;
      this.#pieces.shift();
    }
  }
}
