import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';

/** The address of an account, in lower case. */
export function addressOfKey(privateKey: Hex): Hex {
  return addressOfPrivateKey(fromHex(privateKey, 32));
}
