import { expect, test } from 'vitest';
import { parseJson } from './parse-json.ts';

test('reads texts and bytes, and has no value for what is no JSON', () => {
  expect(parseJson('{"a":"ü"}')).toEqual({ a: 'ü' });
  expect(parseJson(Buffer.from('["ü"]'))).toEqual(['ü']);
  expect([parseJson('null'), parseJson('0')]).toEqual([null, 0]);
  for (const text of ['', '{', 'undefined', '\u{feff}{}']) {
    expect([parseJson(text), parseJson(Buffer.from(text))], text).toEqual([undefined, undefined]);
  }
});
