import { toHex, type Hex } from './hex.ts';
import { keccak256 } from './keccak256.ts';

/** The identifier of a model's, provider's or role's name on the chain: keccak256 of its UTF-8 bytes. */
export function nameId(name: string): Hex {
  return toHex(keccak256(Buffer.from(name, 'utf8')));
}
