import { fromHex } from '../../../protocol/bytes/hex.ts';
import type { VerifiedVoucher } from '../../ledger/ledger.ts';

/** channelId 32 ‖ cumulativeAmount 16 ‖ signature 65. */
export const packedVoucherBytes = 113;
const messageBytes = 48;
/** status 1 (0 no signer, 1 signer) ‖ address 20. */
export const packedSignerBytes = 21;

/** Sent to the thread in place of a group: it ends by itself. */
export const closing = 'close';

/** Vouchers as one buffer, which crosses to a thread without being cloned. */
export function packVouchers(vouchers: readonly VerifiedVoucher[]): Uint8Array<ArrayBuffer> {
  const packed = Buffer.from(new ArrayBuffer(vouchers.length * packedVoucherBytes));
  vouchers.forEach((voucher, index) => {
    const start = index * packedVoucherBytes;
    packed.set(fromHex(voucher.channelId, 32), start);
    packed.writeBigUInt64BE(voucher.cumulativeAmount >> 64n, start + 32);
    packed.writeBigUInt64BE(voucher.cumulativeAmount & 0xffffffffffffffffn, start + 40);
    packed.set(fromHex(voucher.signature, 65), start + messageBytes);
  });
  return packed;
}

/** The parts of one voucher of a packed group, without copies: what is digested (channelId ‖ cumulativeAmount), and its signature. */
export function unpackVoucher(packed: Uint8Array, index: number): { message: Uint8Array; signature: Uint8Array } {
  const start = index * packedVoucherBytes;
  return {
    message: packed.subarray(start, start + messageBytes),
    signature: packed.subarray(start + messageBytes, start + packedVoucherBytes),
  };
}
