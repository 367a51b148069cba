import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import {
  transferAuthorizationDigest,
  type Authorization,
  type AuthorizationDomain,
} from '../../protocol/typed-data/authorization.ts';
import type { PayerWallet } from './seller-terms.ts';

/**
 * Signs an EIP-3009 `TransferWithAuthorization`: 65 bytes as hexadecimal. Its nonce and amount MUST be durable before: whoever has the
 * signature can take the money.
 */
export function signTransfer(domain: AuthorizationDomain, authorization: Authorization, wallet: PayerWallet): Hex {
  return toHex(signDigest(transferAuthorizationDigest(domain, authorization), wallet.privateKey));
}
