import { expect, test } from 'vitest';
import { z } from 'zod';
import { readQuery } from './read-json.ts';

const schema = z.strictObject({ a: z.string().max(3).optional(), b: z.enum(['x', 'y']).optional() });

test('a query is read by its schema', () => {
  expect(readQuery({ url: '/path?a=1&b=x' }, schema)).toEqual({ a: '1', b: 'x' });
  expect(readQuery({ url: '/path' }, schema)).toEqual({});
});

test('what is wrong in it is named', () => {
  for (const [url, param] of [
    ['/path?a=long', 'a'],
    ['/path?b=z', 'b'],
    ['/path?c=1', 'body'],
  ] as const) {
    expect(() => readQuery({ url }, schema)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  }
});
