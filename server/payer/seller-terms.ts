import type { Hex } from '../../protocol/bytes/hex.ts';

/** How one provider may be paid; amounts are atomic units of the token. */
export interface SellerTerms {
  /** As deployments name it. */
  provider: string;
  /** EIP-155 id of the chain on which its money is. */
  chainId: number;
  /** The only token that it is paid in. */
  token: { symbol: string; address: Hex; decimals: number };
  /** The most for one call. */
  maxPerCall: bigint;
  /** The most for one UTC day. */
  maxPerDay: bigint;
  /** The only address that is paid; null where the seller names it. */
  payTo: Hex | null;
}

/** The wallet that pays a provider. It MUST NOT be logged. */
export interface PayerWallet {
  /** In lower case. */
  address: Hex;
  /** 32 bytes. */
  privateKey: Uint8Array;
}
