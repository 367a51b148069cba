import type { UpstreamResponse } from '../transport.ts';
import { maxCachedBytes } from './answer-cache.ts';

/** An upstream's answer whose bytes are kept as they pass. */
export interface RecordedAnswer {
  response: UpstreamResponse;
  contentType: string;
  /** All that was read so far; null if that is too long to be stored. */
  take(): Uint8Array | null;
}

/** Keeps the bytes of an answer that may be stored, up to the most that one may have; they pass at once as they came. */
export function recordAnswer(response: UpstreamResponse): RecordedAnswer {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  async function* record() {
    for await (const piece of response.body) {
      bytes += piece.length;
      if (bytes <= maxCachedBytes) pieces.push(piece);
      else pieces = [];
      yield piece;
    }
  }
  return {
    response: {
      status: response.status,
      headers: response.headers,
      body: record(),
      ...(response.unpaid && { unpaid: true as const }),
      destroy: () => response.destroy(),
    },
    contentType: response.headers['content-type'] ?? '',
    take: () => (bytes > maxCachedBytes ? null : Buffer.concat(pieces)),
  };
}
