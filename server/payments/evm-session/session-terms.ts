import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { TokenDomain } from '../token-domains.ts';

/** A token of the channels that this relay takes. */
export interface SessionToken {
  address: Hex;
  symbol: string;
  decimals: number;
  /** What a new channel should hold, in atomic units; undefined while the token has no price: it is not offered then. */
  suggestedDeposit(): bigint | undefined;
  /**
   * The EIP-712 domain of the token's authorizations, where the relay sends deposits by authorization and pays their fee
   * (`feePayer`); null where payers send them.
   */
  domain: TokenDomain | null;
}

/** What every channel payment of this relay must agree with. Addresses in lower case. */
export interface SessionTerms {
  chainId: number;
  /** The escrow, PaymentChannels. */
  escrow: Hex;
  /** The payee of the channels, AutoPayLLM. */
  recipient: Hex;
  /** In the order in which they are offered; at least one. */
  tokens: readonly SessionToken[];
}
