import { expect, it } from 'vitest';
import { encodeBase64UrlJson } from '../protocol/mpp/base64url-json.ts';
import { encodeHeaderJson } from '../protocol/x402/header-json.ts';
import { readSettlement } from './read-settlement.ts';

const read = (name: string, value: string) => readSettlement(new Headers({ [name]: value }));

it('reads x402’s settlement, of both versions', () => {
  const settled = { success: true, transaction: '0xab', network: 'eip155:1', amount: '12' };
  const expected = { isSuccess: true, transaction: '0xab', amount: 12n, reason: '' };
  expect(read('payment-response', encodeHeaderJson(settled))).toEqual(expected);
  expect(read('x-payment-response', encodeHeaderJson(settled))).toEqual(expected);
  const failed = { success: false, transaction: '', errorReason: 'insufficient_funds' };
  expect(read('payment-response', encodeHeaderJson(failed))).toEqual({
    ...{ isSuccess: false, transaction: null, amount: undefined, reason: 'insufficient_funds' },
  });
});

it('reads MPP’s receipt', () => {
  const receipt = { method: 'evm', status: 'success', reference: '0xcd', timestamp: '2026-11-21T00:00:00Z' };
  expect(read('payment-receipt', encodeBase64UrlJson(receipt))).toMatchObject({ isSuccess: true, transaction: '0xcd' });
});

it.each([
  ['payment-response', '{}'],
  ['payment-response', encodeHeaderJson({ success: 'yes' })],
  ['payment-receipt', '!'],
  ['x-other', 'x'],
])('knows nothing from %s: %s', (name, value) => {
  expect(read(name, value)).toBeUndefined();
});
