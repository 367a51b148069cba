import { digestOfCall } from './abandoned-calls.ts';
import type { StoredPayment } from './payment-store.ts';
import type { Offer } from './read-offers.ts';
import type { SellerAsset } from './seller-assets.ts';
import type { PreparedRequest } from './send-request.ts';

/** More than are lost at once; the oldest are forgotten first, and stay on the disk. */
const maxRemembered = 1_000;

/** A payment to a seller, and what it is for. */
export interface SellerPayment {
  payment: StoredPayment;
  offer: Offer;
  asset: SellerAsset;
  /** The headers that pay. */
  paying: Readonly<Record<string, string>>;
}

/** Payments to sellers that have not been answered: whoever repeats such a request with its Idempotency-Key sends the same one again. */
export interface UnansweredPayments {
  keep(request: PreparedRequest, sent: SellerPayment): void;
  /** The payment of this very request, if its signature is still good. */
  find(request: PreparedRequest): SellerPayment | undefined;
  /** The request was answered. */
  end(request: PreparedRequest): void;
}

/** Remembers the unanswered payments of this process. */
export function createUnansweredPayments(): UnansweredPayments {
  const sentByCall = new Map<string, SellerPayment>();
  const nameOf = (request: PreparedRequest) => `${request.headers.get('idempotency-key')} ${digestOfCall(request)}`;
  return {
    keep(request, sent) {
      sentByCall.set(nameOf(request), sent);
      const oldest = sentByCall.keys().next();
      if (sentByCall.size > maxRemembered && !oldest.done) sentByCall.delete(oldest.value);
    },
    find(request) {
      const sent = sentByCall.get(nameOf(request));
      return sent && sent.payment.validBefore * 1_000 > Date.now() ? sent : undefined;
    },
    end: (request) => void sentByCall.delete(nameOf(request)),
  };
}
