import { createHash } from 'node:crypto';
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

/**
 * The salt of a payer's channel by its number, from 0. Salts are counted, not random: whoever has the key can find the channels
 * again after all else is lost. The payer is part of a channel's id, so nobody else can occupy them.
 */
export function countedSalt(index: number): Hex {
  return toHex(createHash('sha256').update(`autopay-channel-salt-v1:${index}`).digest());
}
