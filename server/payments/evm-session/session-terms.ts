import type { Hex } from '../../../protocol/bytes/hex.ts';

/** What every channel payment of this relay must agree with. Addresses in lower case. */
export interface SessionTerms {
  chainId: number;
  /** The escrow, PaymentChannels. */
  escrow: Hex;
  /** The payee of the channels, AutoPayLLM. */
  recipient: Hex;
  token: { address: Hex; symbol: string; decimals: number };
  /** Atomic units. */
  suggestedDepositAtomic: bigint;
}
