import { expect, it } from 'vitest';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { encodeHeaderJson } from '../../protocol/x402/header-json.ts';
import { readSettlement } from './read-settlement.ts';

const hash = `0x${'ab'.repeat(32)}`;

it('the transaction is read from whichever header has it', () => {
  const x402 = encodeHeaderJson({ success: true, transaction: hash, network: 'eip155:1' });
  expect(readSettlement({ 'payment-response': x402 })).toBe(hash);
  expect(readSettlement({ 'x-payment-response': x402 })).toBe(hash);
  expect(readSettlement({ 'payment-receipt': encodeBase64UrlJson({ status: 'success', reference: hash }) })).toBe(hash);
});

it('nothing, a failure, a charge of nothing and rubbish name none', () => {
  expect(readSettlement({})).toBeUndefined();
  expect(
    readSettlement({ 'payment-response': encodeHeaderJson({ success: false, transaction: hash }) }),
  ).toBeUndefined();
  expect(readSettlement({ 'payment-response': encodeHeaderJson({ success: true, transaction: '' }) })).toBeUndefined();
  expect(readSettlement({ 'payment-response': '!', 'payment-receipt': '!' })).toBeUndefined();
});
