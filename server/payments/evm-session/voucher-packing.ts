import { fromHex, toHex } from '../../../protocol/bytes/hex.ts';
import type { VerifiedVoucher } from '../../ledger/ledger.ts';

/** channelId 32 ‖ cumulativeAmount 16 ‖ signature 65. */
export const packedVoucherBytes = 113;
/** status 1 (0 no signer, 1 signer) ‖ address 20. */
export const packedSignerBytes = 21;

/** Vouchers as one buffer, which crosses to a thread without being cloned. */
export function packVouchers(vouchers: readonly VerifiedVoucher[]): Uint8Array<ArrayBuffer> {
  const packed = Buffer.from(new ArrayBuffer(vouchers.length * packedVoucherBytes));
  vouchers.forEach((voucher, index) => {
    const start = index * packedVoucherBytes;
    packed.set(fromHex(voucher.channelId, 32), start);
    packed.writeBigUInt64BE(voucher.cumulativeAmount >> 64n, start + 32);
    packed.writeBigUInt64BE(voucher.cumulativeAmount & 0xffffffffffffffffn, start + 40);
    packed.set(fromHex(voucher.signature, 65), start + 48);
  });
  return packed;
}

/** One voucher of a packed group. */
export function unpackVoucher(packed: Uint8Array, index: number): VerifiedVoucher {
  const start = index * packedVoucherBytes;
  const view = Buffer.from(packed.buffer, packed.byteOffset + start, packedVoucherBytes);
  return {
    channelId: toHex(view.subarray(0, 32)),
    cumulativeAmount: (view.readBigUInt64BE(32) << 64n) | view.readBigUInt64BE(40),
    signature: toHex(view.subarray(48)),
  };
}
