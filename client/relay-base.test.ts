import { expect, it } from 'vitest';
import { pathBehindBase, relayBaseOf } from './relay-base.ts';

it.each([
  ['https://relay.example', undefined, 'https://relay.example', ''],
  ['https://relay.example/v1/', undefined, 'https://relay.example', ''],
  ['https://relay.example/chains/8453', undefined, 'https://relay.example/chains/8453', ''],
  ['https://relay.example/chains/8453/v1', 10, 'https://relay.example/chains/8453', ''],
  ['https://relay.example:4000/', 8453, 'https://relay.example:4000/chains/8453', ''],
  ['https://gateway.example/api/v1', undefined, 'https://gateway.example', '/api'],
  ['https://gateway.example/chains/base', undefined, 'https://gateway.example', '/chains/base'],
])('of %s and chain %s is %s', (url, chainId, base, behind) => {
  expect(relayBaseOf(url, chainId)).toBe(base);
  expect(pathBehindBase(url)).toBe(behind);
});
