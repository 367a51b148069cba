import { createHash } from 'node:crypto';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import type { UpstreamResponse } from '../transport.ts';

/** An answer whose bytes are digested as they pass. */
export interface ExchangeTap {
  response: UpstreamResponse;
  /** SHA-256 of all that has passed. */
  digest(): Hex;
  /** The same bytes; null once they are more than were to be kept. */
  take(): Buffer | null;
}

/** Digests an answer's body, and keeps the first of it; the bytes pass at once as they came. */
export function tapExchange(response: UpstreamResponse, keepBytes: number): ExchangeTap {
  const hash = createHash('sha256');
  let kept: Uint8Array[] | null = [];
  let bytes = 0;
  async function* tap() {
    for await (const piece of response.body) {
      hash.update(piece);
      bytes += piece.length;
      if (bytes <= keepBytes) kept?.push(piece);
      else kept = null;
      yield piece;
    }
  }
  const { headers, status, unpaid } = response;
  return {
    response: { status, headers, body: tap(), ...(unpaid && { unpaid }), destroy: () => response.destroy() },
    digest: () => toHex(hash.copy().digest()),
    take: () => kept && Buffer.concat(kept),
  };
}
