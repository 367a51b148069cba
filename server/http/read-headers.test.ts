import { expect, it } from 'vitest';
import { pathOf } from './read-headers.ts';

it.each([
  [undefined, '/'],
  ['/v1/models', '/v1/models'],
  ['/v1/models?', '/v1/models'],
  ['/v1/models?a=/b?c', '/v1/models'],
])('the path of %s is %s', (url, path) => {
  expect(pathOf(url === undefined ? {} : { url })).toBe(path);
});
