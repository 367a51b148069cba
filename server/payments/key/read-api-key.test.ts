import { expect, test } from 'vitest';
import { readApiKey } from './read-api-key.ts';

test('a key comes as a bearer token or in x-api-key', () => {
  expect(readApiKey({ authorization: 'Bearer ap_sk_one' })).toBe('ap_sk_one');
  expect(readApiKey({ authorization: 'bearer  ap_sk_one ' })).toBe('ap_sk_one');
  expect(readApiKey({ 'x-api-key': 'ap_sk_two' })).toBe('ap_sk_two');
  expect(readApiKey({ authorization: 'Bearer unused', 'x-api-key': 'ap_sk_two' })).toBe('ap_sk_two');
  expect(readApiKey({ authorization: 'Bearer ap_sk_one', 'x-api-key': 'ap_sk_two' })).toBe('ap_sk_one');
});

test('what other clients send is no key', () => {
  for (const authorization of [
    undefined,
    '',
    'Bearer unused',
    'Bearer sk-1',
    'Payment ap_sk_x',
    'Bearer xap_sk_',
    'ap_sk_one',
  ]) {
    expect(readApiKey({ authorization })).toBeUndefined();
  }
  expect(readApiKey({ 'x-api-key': 'sk-ant-1' })).toBeUndefined();
});
