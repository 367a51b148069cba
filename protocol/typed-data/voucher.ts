import { AbiWriter } from '../bytes/abi-writer.ts';
import { fromHex, type Hex } from '../bytes/hex.ts';
import { keccak256 } from '../bytes/keccak256.ts';
import { domainSeparator, typedDataDigest, type TypedDataScope } from './domain-separator.ts';

/** MPP EVM session draft, "Voucher Signing Format": the only authority over a channel's money. */
export interface Voucher {
  channelId: Hex;
  /** The most that the payee may have taken from the channel in all, in atomic units of its token. uint128. */
  cumulativeAmount: bigint;
}

/** The EIP-712 types of a voucher, for wallets. */
export const voucherTypes = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'cumulativeAmount', type: 'uint128' },
  ],
} as const;

const voucherTypeHash = keccak256(Buffer.from('Voucher(bytes32 channelId,uint128 cumulativeAmount)'));

/** The EIP-712 domain of vouchers for an escrow contract. */
export function voucherDomain(scope: TypedDataScope) {
  return { name: 'EVM Payment Channel', version: '1', ...scope } as const;
}

/** The domain separator of vouchers for an escrow contract; compute once. */
export function voucherDomainSeparator(scope: TypedDataScope): Buffer {
  return domainSeparator(voucherDomain(scope));
}

/**
 * The digest of vouchers that are bytes already, for those who check many: the parts that do not change are laid out once.
 *
 * @returns takes channelId 32 ‖ cumulativeAmount 16 (big-endian), gives what `voucherDigest` does
 */
export function createVoucherDigester(separator: Uint8Array): (packed: Uint8Array) => Buffer {
  const struct = Buffer.concat([voucherTypeHash, Buffer.alloc(64)]);
  return (packed) => {
    struct.set(packed.subarray(0, 32), 32);
    // A uint128 stands in the lower half of its word.
    struct.set(packed.subarray(32, 48), 80);
    return typedDataDigest(separator, keccak256(struct));
  };
}

/** The digest that the channel's signer signs. */
export function voucherDigest(separator: Uint8Array, voucher: Voucher): Buffer {
  const structHash = keccak256(
    new AbiWriter(3)
      .fixedBytes(voucherTypeHash, 32)
      .fixedBytes(fromHex(voucher.channelId, 32), 32)
      .uint128(voucher.cumulativeAmount)
      .finish(),
  );
  return typedDataDigest(separator, structHash);
}
