import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { TokenDomain } from '../token-domains.ts';

/** A token that x402 payments may be in. */
export interface X402Token {
  address: Hex;
  symbol: string;
  /** Null where the token takes no EIP-3009 authorizations; then `exact` goes by Permit2. */
  domain: TokenDomain | null;
}

/** What every x402 payment to this relay has in common. */
export interface X402Terms {
  /** EIP-155 chain id. */
  chainId: number;
  /** `payTo` and, for `upto`, the facilitator: the PaymentDesk contract. */
  desk: Hex;
  /** In the order in which they are offered. */
  tokens: readonly X402Token[];
  /**
   * Whether `upto` is offered: where the chain has Permit2 and x402's proxy. Not with an external facilitator: only the desk may
   * settle what names the desk.
   */
  hasUpto: boolean;
  /** Whether `exact` is offered in tokens without EIP-3009: where the chain has Permit2 and x402's proxy. */
  hasPermit2Exact: boolean;
  /** What `resource.url` begins with, such as `https://relay.example`. */
  baseUrl: string;
  /** How long a payment has to be valid yet when it comes, seconds: the longest call, and time to settle. */
  minValiditySeconds: number;
  /** How long clients are asked to make it valid, seconds. */
  maxTimeoutSeconds: number;
}

/** The chain's name in x402 v2 (CAIP-2). */
export function networkOf({ chainId }: Pick<X402Terms, 'chainId'>): `eip155:${number}` {
  return `eip155:${chainId}`;
}
