import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { keccak256 } from '../../protocol/bytes/keccak256.ts';

/** The identifier of a model's or provider's name on the chain: keccak256 of its UTF-8 bytes. */
export function nameId(name: string): Hex {
  return toHex(keccak256(Buffer.from(name, 'utf8')));
}
