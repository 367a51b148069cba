import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** The largest amount that the books and the contracts hold: 2^128 − 1 atomic units. */
export const maxAmount: bigint = 2n ** 128n - 1n;

const mask64 = 2n ** 64n - 1n;

/**
 * An amount as SQLite holds it: 16 bytes, big-endian, so that blobs compare as the numbers do. SQLite's own INTEGER
 * ends at 2^63 − 1, which is 9.2 tokens of 18 decimals.
 * @throws AutoPayError `internal_error` outside 0 … 2^128 − 1.
 */
export function encodeAmount(amount: bigint): Buffer {
  if (amount < 0n || amount > maxAmount) {
    throw new AutoPayError('internal_error', `An amount must lie in 0 … 2^128 − 1, not ${amount}.`);
  }
  const blob = Buffer.allocUnsafe(16);
  blob.writeBigUInt64BE(amount >> 64n, 0);
  blob.writeBigUInt64BE(amount & mask64, 8);
  return blob;
}

/**
 * The amount of a blob that `encodeAmount` wrote.
 * @throws AutoPayError `internal_error` unless it has 16 bytes.
 */
export function decodeAmount(blob: Uint8Array): bigint {
  if (blob.length !== 16) throw new AutoPayError('internal_error', `An amount has 16 bytes, not ${blob.length}.`);
  const view = new DataView(blob.buffer, blob.byteOffset, 16);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}
