import { randomBytes } from '../bytes/random-bytes.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A new call id: a UUIDv7 (RFC 9562 §5.7), so that ids sort by time. */
export function createCallId(nowMs: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return formatCallId(bytes);
}

/** The text form (lower-case UUID) of a call id's 16 bytes. */
export function formatCallId(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Whether `value` is the text form of a call id. */
export function isCallId(value: string): boolean {
  return pattern.test(value);
}

/**
 * The 16 bytes of a call id.
 * @throws AutoPayError `invalid_encoding`.
 */
export function parseCallId(value: string): Buffer {
  if (!isCallId(value)) {
    throw new AutoPayError('invalid_encoding', 'A call id is a lower-case UUIDv7, as in the x-autopay-call-id header.');
  }
  return Buffer.from(value.replaceAll('-', ''), 'hex');
}
