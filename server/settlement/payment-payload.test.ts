import { describe, expect, it } from 'vitest';
import { maxPaymentPayloadBytes } from '../ledger/ledger.ts';
import { permit2Address } from '../../protocol/x402/addresses.ts';
import { authorityOf, describePayment, readPayment, type TokenPayment } from './payment-payload.ts';

const payment: TokenPayment = {
  kind: 'eip3009',
  payer: `0x${'11'.repeat(20)}`,
  token: `0x${'22'.repeat(20)}`,
  recipient: `0x${'33'.repeat(20)}`,
  maximum: 7n,
  validAfter: 0n,
  validBefore: 1_800_000_000n,
  nonce: `0x${'44'.repeat(32)}`,
  signature: `0x${'55'.repeat(65)}`,
  spender: null,
  facilitator: null,
};
const upto: TokenPayment = {
  ...payment,
  ...{ kind: 'permit2-upto', spender: `0x${'66'.repeat(20)}`, facilitator: `0x${'33'.repeat(20)}` },
};

describe('a payment for the ledger', () => {
  it.each([payment, upto])('comes back as it was signed: $kind', (signed) => {
    const described = describePayment(signed);
    expect(readPayment(described)).toEqual(signed);
    expect(described).toMatchObject({ validBefore: 1_800_000_000, maximum: 7n, available: null });
  });

  it('has the nonces of its authority', () => {
    expect([authorityOf(payment), authorityOf(upto)]).toEqual([payment.token, permit2Address]);
    expect(describePayment(payment).paymentId).not.toBe(describePayment(upto).paymentId);
  });

  it('fits the ledger with the longest signature and times beyond all clocks', () => {
    const longest = { ...upto, signature: `0x${'55'.repeat(1_024)}`, validBefore: (1n << 256n) - 1n } as const;
    const described = describePayment(longest);
    expect(Buffer.byteLength(described.payload)).toBeLessThan(maxPaymentPayloadBytes);
    expect(Number.isSafeInteger(described.validBefore)).toBe(true);
    expect(readPayment(described)).toEqual(longest);
  });

  it('is none of an allowance', () => {
    expect(readPayment({ ...describePayment(payment), kind: 'allowance', payload: '{}' })).toBeUndefined();
  });
});
