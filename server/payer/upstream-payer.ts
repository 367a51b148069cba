import type { UpstreamRequest, UpstreamResponse } from '../call/transport.ts';

/** A provider's 402, read whole. */
export interface PaymentRequired {
  /** Names in lower case. */
  headers: UpstreamResponse['headers'];
  /** Parsed JSON; null if there is none. */
  body: unknown;
}

/** An attempt that may be paid for. */
export type PayableRequest = UpstreamRequest & Required<Pick<UpstreamRequest, 'attempt'>>;

/** A payment that is durable and signed: whatever happens now, it counts as spent until more is known. */
export interface SignedPurchase {
  /** Go with the same request once more. */
  headers: Readonly<Record<string, string>>;
  /**
   * Takes note of what the answer says of the payment.
   * @returns the answer, to be used in its place
   */
  take(response: UpstreamResponse): UpstreamResponse;
  /** No answer came. */
  lose(): void;
}

/** Why a provider is not paid: for the log, with what it is about. */
export interface Declined {
  declined: string;
  facts?: Readonly<Record<string, string | number>>;
}

/** Pays one provider. */
export interface UpstreamPayer {
  /** Decides on a 402 and signs, once for an attempt. Never throws for what the provider says. */
  pay(request: PayableRequest, required: PaymentRequired): Promise<SignedPurchase | Declined>;
}
