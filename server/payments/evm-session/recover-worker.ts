import { parentPort, workerData } from 'node:worker_threads';
import { fromHex } from '../../../protocol/bytes/hex.ts';
import { recoverSigner } from '../../../protocol/bytes/secp256k1.ts';
import { voucherDigest } from '../../../protocol/typed-data/voucher.ts';
import { packedSignerBytes, packedVoucherBytes, unpackVoucher } from './voucher-packing.ts';

const { separator } = workerData as { separator: Uint8Array };

/** Recovers the signers of one packed group, in order. What recovers to nobody has status 0. */
function recoverGroup(packed: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = packed.length / packedVoucherBytes;
  const signers = new Uint8Array(count * packedSignerBytes);
  for (let index = 0; index < count; index += 1) {
    const voucher = unpackVoucher(packed, index);
    try {
      const signer = recoverSigner(voucherDigest(separator, voucher), fromHex(voucher.signature, 65));
      signers[index * packedSignerBytes] = 1;
      signers.set(fromHex(signer, 20), index * packedSignerBytes + 1);
    } catch {
      // Status 0 says it; why does not matter to the payer, whose remedy is to sign again.
    }
  }
  return signers;
}

parentPort?.on('message', (packed: Uint8Array) => {
  const signers = recoverGroup(packed);
  parentPort?.postMessage(signers, [signers.buffer]);
});
