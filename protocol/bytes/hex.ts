import { AutoPayError } from '../errors/auto-pay-error.ts';

/** A 0x-prefixed hexadecimal string. */
export type Hex = `0x${string}`;

/** The zero address. */
export const zeroAddress: Hex = `0x${'0'.repeat(40)}`;
/** 32 zero bytes. */
export const zeroBytes32: Hex = `0x${'0'.repeat(64)}`;

/** Lower-case 0x-hex of `bytes`. */
export function toHex(bytes: Uint8Array): Hex {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return `0x${buffer.toString('hex')}`;
}

/** Whether `value` is 0x-hex of exactly `lengthBytes` bytes (of any length if omitted). */
export function isHex(value: unknown, lengthBytes?: number): value is Hex {
  if (typeof value !== 'string' || !/^0x(?:[0-9a-fA-F]{2})*$/.test(value)) return false;
  return lengthBytes === undefined || value.length === 2 + 2 * lengthBytes;
}

/**
 * Bytes of 0x-hex.
 * @throws AutoPayError `invalid_encoding` if it is not hex, or not of `lengthBytes` bytes.
 */
export function fromHex(value: string, lengthBytes?: number): Buffer {
  if (lengthBytes !== undefined && value.length === 2 + 2 * lengthBytes && value.startsWith('0x')) {
    const bytes = Buffer.from(value.slice(2), 'hex');
    // It ends before the first character that is no digit.
    if (bytes.length === lengthBytes) return bytes;
  }
  if (!isHex(value, lengthBytes)) {
    const expected = lengthBytes === undefined ? '0x-hex' : `0x-hex of ${lengthBytes} bytes`;
    throw new AutoPayError('invalid_encoding', `Expected ${expected}, got ${JSON.stringify(value).slice(0, 80)}.`);
  }
  return Buffer.from(value.slice(2), 'hex');
}
