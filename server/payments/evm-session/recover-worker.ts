import { parentPort, workerData } from 'node:worker_threads';
import { recoverSignerBytes } from '../../../protocol/bytes/secp256k1.ts';
import { createVoucherDigester } from '../../../protocol/typed-data/voucher.ts';
import { closing, packedSignerBytes, packedVoucherBytes, unpackVoucher } from './voucher-packing.ts';

const { separator } = workerData as { separator: Uint8Array };
const digestOf = createVoucherDigester(separator);

/** Recovers the signers of one packed group, in order. What recovers to nobody has status 0. */
function recoverGroup(packed: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = packed.length / packedVoucherBytes;
  const signers = new Uint8Array(count * packedSignerBytes);
  for (let index = 0; index < count; index += 1) {
    const { message, signature } = unpackVoucher(packed, index);
    try {
      signers.set(recoverSignerBytes(digestOf(message), signature), index * packedSignerBytes + 1);
      signers[index * packedSignerBytes] = 1;
    } catch {
      // Status 0 says it; why does not matter to the payer, whose remedy is to sign again.
    }
  }
  return signers;
}

parentPort?.on('message', (packed: Uint8Array | typeof closing) => {
  if (packed === closing) return parentPort?.close();
  const signers = recoverGroup(packed);
  parentPort?.postMessage(signers, [signers.buffer]);
});
