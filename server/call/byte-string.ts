/**
 * Bytes as a string, one character up to U+00FF for each byte (WebIDL's ByteString). A stream is read as such: engines search, cut and join
 * strings faster than buffers, and no byte of it changes on its way, whatever its encoding.
 */
export type ByteString = string;

const beyondAscii = /[\u0080-\u00ff]/;

/** Bytes as such a string. */
export function byteStringOf(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The bytes. */
export function bytesOf(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}

/** The text that the bytes are in UTF-8. */
export function decodeBytes(text: ByteString): string {
  return beyondAscii.test(text) ? bytesOf(text).toString('utf8') : text;
}
