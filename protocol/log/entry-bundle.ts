import { AutoPayError } from '../errors/auto-pay-error.ts';
import { tileWidth } from './tile-path.ts';

/** The longest entry that a bundle takes, bytes (C2SP tlog-tiles: its length is a uint16). */
export const maxEntryBytes = 65_535;

/**
 * C2SP tlog-tiles, "Log entries": each entry behind its length, uint16 big-endian.
 * @throws AutoPayError `invalid_encoding` if an entry is too long
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    if (entry.length > maxEntryBytes) {
      throw new AutoPayError(
        'invalid_encoding',
        `A log entry has at most ${maxEntryBytes} bytes, not ${entry.length}.`,
      );
    }
    parts.push(Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry);
  }
  return Buffer.concat(parts);
}

/**
 * Reads a bundle of 1 to 256 entries.
 * @throws AutoPayError `invalid_encoding`
 */
export function decodeEntryBundle(bundle: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const from = start + 2;
    const end = from > bytes.length ? Infinity : from + bytes.readUInt16BE(start);
    if (end > bytes.length || entries.length === tileWidth) throw malformed();
    entries.push(bytes.subarray(from, end));
    start = end;
  }
  if (entries.length === 0) throw malformed();
  return entries;
}

function malformed(): AutoPayError {
  return new AutoPayError(
    'invalid_encoding',
    `This is not an entry bundle (C2SP tlog-tiles): 1 to ${tileWidth} entries, each behind its length.`,
  );
}
