import type { UpstreamResponse } from '../call/transport.ts';
import { ReceiptScanner } from './receipt-scanner.ts';

/** How an answer ended. */
export interface WatchedEnd {
  /** Base64 SignedReceipt; null without one. */
  receipt: string | null;
  /** Whether it was read to its end. */
  isWhole: boolean;
}

/**
 * Looks for a receipt in an answer as it passes, without holding anything back.
 * @param onEnd called once, when the answer has ended, broken, or been left
 */
export function watchReceipt(response: UpstreamResponse, onEnd: (end: WatchedEnd) => void): UpstreamResponse {
  const scanner = new ReceiptScanner();
  let hasEnded = false;
  const end = (isWhole: boolean): void => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd({ receipt: scanner.receipt, isWhole });
  };
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of response.body) {
        scanner.push(bytes);
        yield bytes;
      }
      end(true);
    } finally {
      end(false);
    }
  }
  return {
    ...response,
    body: read(),
    destroy() {
      response.destroy();
      end(false);
    },
  };
}
