import { describe, expect, it } from 'vitest';
import { eip3009PayloadSchema } from '../x402/payment-schemas.ts';
import { chargePayloadSchema } from '../mpp/session-schemas.ts';
import { addressSchema, amountSchema, uint256Schema } from './value-schemas.ts';

describe.each([
  ['an amount', amountSchema, 128n],
  ['a number of 256 bits', uint256Schema, 256n],
] as const)('%s', (_what, schema, bits) => {
  it('is a decimal string, written in one way, up to its bound', () => {
    const most = (1n << bits) - 1n;
    for (const value of [0n, 7n, most]) expect(schema.parse(String(value))).toBe(value);
    for (const text of ['', '00', '07', '+7', '-7', ' 7', '7 ', '1e3', '0x7', '7.0', '٧', String(most + 1n), 7]) {
      expect(schema.safeParse(text).success, JSON.stringify(text)).toBe(false);
    }
  });
});

it('an address is normalised', () => {
  expect(addressSchema.parse(`0x${'Ab'.repeat(20)}`)).toBe(`0x${'ab'.repeat(20)}`);
  expect(addressSchema.safeParse(`0x${'ab'.repeat(21)}`).success).toBe(false);
});

it('one authorization reads alike in x402 and in MPP', () => {
  const times = { validAfter: '0', validBefore: '1800000000' };
  const authorization = { from: `0x${'a1'.repeat(20)}`, to: `0x${'b2'.repeat(20)}`, value: '5', ...times };
  const nonce = `0x${'CC'.repeat(32)}`;
  const signature = `0x${'11'.repeat(65)}`;
  const x402 = eip3009PayloadSchema.parse({ signature, authorization: { ...authorization, nonce } });
  const charge = chargePayloadSchema.parse({ ...authorization, nonce, signature, type: 'authorization' });
  expect(charge).toEqual({ ...x402.authorization, signature: x402.signature, type: 'authorization' });
  const padded = { ...authorization, nonce, validAfter: '00' };
  expect(eip3009PayloadSchema.safeParse({ signature, authorization: padded }).success).toBe(false);
  expect(chargePayloadSchema.safeParse({ ...padded, signature, type: 'authorization' }).success).toBe(false);
});
