import { describe, expect, it } from 'vitest';
import { decodeHeaderJson, encodeHeaderJson } from './header-json.ts';

const read = (encoded: string) => decodeHeaderJson('X-PAYMENT', encoded);
const base64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64');

describe('the JSON of an x402 header', () => {
  it('comes back as it went', () => {
    const value = { x402Version: 2, text: 'für wahr', list: ['1'] };
    expect(read(encodeHeaderJson(value))).toEqual(value);
  });

  it('may come without padding', () => {
    const encoded = encodeHeaderJson({ a: 1 });
    expect(encoded).toMatch(/=$/);
    expect(read(encoded.replace(/=+$/, ''))).toEqual({ a: 1 });
  });

  it.each([
    ['nothing', ''],
    ['padding alone', '=='],
    ['no base64', '{"a":1}'],
    ['base64 with bits left over', 'eyJhIjoxfR=='],
    ['base64url', base64('{"a":"???>>>"}').replaceAll('/', '_').replaceAll('+', '-')],
    ['no JSON', base64('hello')],
    ['no UTF-8', base64(Uint8Array.of(0x22, 0xff, 0x22))],
    ['more than 16 KiB', base64(JSON.stringify('x'.repeat(13_000)))],
  ])('is refused: %s', (_, encoded) => {
    expect(() => read(encoded)).toThrow(expect.objectContaining({ code: 'malformed_credential' }));
  });
});
