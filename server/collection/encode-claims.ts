import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CollectionClaim } from '../ledger/background-ledger.ts';

/** What a claim is packed from. */
type PackableClaim = Pick<CollectionClaim, 'maximum' | 'claimed' | 'signature'> & {
  channel: Pick<CollectionClaim['channel'], 'payer' | 'salt' | 'authorizedSigner'>;
};

/** Bytes of one packed claim. */
export const claimBytes = 160;

/**
 * Packs claims as `PaymentChannels.settleBatch` takes them (contracts/types/Claim.sol): payer 20 | salt 32 |
 * authorizedSigner 20 | maximum 12 | claimed 12 | r 32 | yParityAndS 32, big-endian.
 * @throws AutoPayError `invalid_encoding` if an amount is beyond 96 bits or a signature is not 65 bytes r ‖ s ‖ v.
 */
export function encodeClaims(claims: readonly PackableClaim[]): Buffer {
  return Buffer.concat(claims.map(encodeClaim));
}

function encodeClaim({ channel, maximum, claimed, signature }: PackableClaim): Buffer {
  return Buffer.concat([
    fromHex(channel.payer, 20),
    fromHex(channel.salt, 32),
    fromHex(channel.authorizedSigner, 20),
    uint96(maximum),
    uint96(claimed),
    compactSignature(signature),
  ]);
}

function uint96(value: bigint): Buffer {
  if (value < 0n || value >> 96n !== 0n) {
    throw new AutoPayError('invalid_encoding', `An amount of a claim must fit 96 bits, and ${value} does not.`);
  }
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(Number(value >> 64n), 0);
  bytes.writeBigUInt64BE(value & 0xffffffffffffffffn, 4);
  return bytes;
}

/** EIP-2098: a low s leaves the top bit free, which takes yParity. */
function compactSignature(signature: Hex): Buffer {
  const bytes = fromHex(signature, 65);
  const compact = Buffer.from(bytes.subarray(0, 64));
  const yParity = (bytes[64] ?? 0) - 27;
  const firstOfS = compact[32] ?? 0;
  if ((yParity !== 0 && yParity !== 1) || firstOfS >= 0x80) {
    throw new AutoPayError('invalid_encoding', 'A voucher signature has v 27 or 28 and a low s.');
  }
  compact[32] = firstOfS | (yParity << 7);
  return compact;
}
