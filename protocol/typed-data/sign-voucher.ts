import { toHex, type Hex } from '../bytes/hex.ts';
import { signDigest } from '../bytes/secp256k1.ts';
import { voucherDigest, voucherDomainSeparator, type Voucher } from './voucher.ts';
import type { TypedDataScope } from './domain-separator.ts';

/** A voucher with the signature of the channel's signer: whoever is the payee can turn it into money. */
export interface SignedVoucher extends Voucher {
  /** 65 bytes r ‖ s ‖ v, low s. */
  signature: Hex;
}

/**
 * Signs a voucher (MPP EVM session draft, "Voucher Signing Format"). The caller MUST have made `cumulativeAmount`
 * durable before: what was signed and forgotten can still be cashed.
 * @param scope chain and escrow contract.
 */
export function signVoucher(
  voucher: Voucher,
  options: { scope: TypedDataScope; privateKey: Uint8Array },
): SignedVoucher {
  const digest = voucherDigest(voucherDomainSeparator(options.scope), voucher);
  return { ...voucher, signature: toHex(signDigest(digest, options.privateKey)) };
}
