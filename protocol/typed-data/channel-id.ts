import { AbiWriter } from '../bytes/abi-writer.ts';
import { fromHex, toHex, type Hex } from '../bytes/hex.ts';
import { keccak256 } from '../bytes/keccak256.ts';

/** What identifies a channel for ever (MPP EVM session draft, "Channel State"). */
export interface ChannelIdentity {
  payer: Hex;
  payee: Hex;
  token: Hex;
  salt: Hex;
  /** The zero address means the payer. */
  authorizedSigner: Hex;
  escrow: Hex;
  chainId: number;
}

/** keccak256(abi.encode(payer, payee, token, salt, authorizedSigner, escrow, chainId)). */
export function computeChannelId(identity: ChannelIdentity): Hex {
  const encoded = new AbiWriter(7)
    .address(identity.payer)
    .address(identity.payee)
    .address(identity.token)
    .fixedBytes(fromHex(identity.salt, 32), 32)
    .address(identity.authorizedSigner)
    .address(identity.escrow)
    .number(identity.chainId)
    .finish();
  return toHex(keccak256(encoded));
}
