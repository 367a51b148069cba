import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteStringOf, bytesOf, decodeBytes } from './byte-string.ts';

test('is the bytes, and decodes as they do, valid UTF-8 or not', () => {
  const text = fc.string({ unit: 'binary' }).map((value) => Buffer.from(value));
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.uint8Array().map((value) => Buffer.from(value)),
      ),
      (bytes) => {
        const string = byteStringOf(bytes);
        expect(string).toHaveLength(bytes.length);
        expect(bytesOf(string)).toEqual(bytes);
        expect(decodeBytes(string)).toBe(bytes.toString('utf8'));
      },
    ),
  );
});
