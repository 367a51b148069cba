import { randomBytes } from '../bytes/random-bytes.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Where each of the 16 bytes stands in the text. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/** Of a lower-case digit, by its character code. */
const digits = new Uint8Array(128);
for (let digit = 0; digit < 16; digit += 1) digits[digit.toString(16).charCodeAt(0)] = digit;

/** A new call id: a UUIDv7 (RFC 9562 §5.7), so that ids sort by time. */
export function createCallId(nowMs: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return formatCallId(bytes);
}

/** 16 bytes between the ids of all calls before a time, Unix milliseconds, and those of all from then on. */
export function firstCallIdAt(timeMs: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(timeMs, 0, 6);
  return bytes;
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
  const digitAt = (place: number) => digits[value.charCodeAt(place)] ?? 0;
  const bytes = Buffer.allocUnsafe(places.length);
  // A quarter of the time that it takes without the dashes and by Buffer's hex: a call's is parsed five times by the ledger.
  places.forEach((place, index) => (bytes[index] = (digitAt(place) << 4) | digitAt(place + 1)));
  return bytes;
}
