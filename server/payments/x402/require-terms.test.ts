import { describe, expect, it } from 'vitest';
import { decodePayment, type X402Payment } from '../../../protocol/x402/decode-payment.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import { requireTerms, requireTime } from './require-terms.ts';
import { plain, signPayment, signV1Payment, terms, usdc, type PaymentToSign } from './x402-fixture.ts';

const other = `0x${'99'.repeat(20)}` as const;
const decode = async (options?: PaymentToSign) =>
  decodePayment('PAYMENT-SIGNATURE', encodeHeaderJson(await signPayment(options)));
const change = (payment: X402Payment, signed: Partial<X402Payment['signed']>): X402Payment => ({
  ...payment,
  signed: { ...payment.signed, ...signed },
});

describe('the terms of x402', () => {
  it.each(['eip3009', 'permit2-exact', 'permit2-upto'] as const)(
    'are kept by what a client signs: %s',
    async (kind) => {
      const payment = await decode({ kind });
      const { token, payment: taken } = requireTerms(terms, payment);
      expect(token).toBe(kind === 'permit2-exact' ? plain : usdc);
      expect(taken).toEqual(payment.signed);
    },
  );

  it('find the token of a v1 payment by its signature', async () => {
    const second = { ...usdc, address: other, domain: { name: 'Other', version: '1' } };
    const tokens = [usdc, second];
    for (const token of tokens) {
      const payment = decodePayment('X-PAYMENT', encodeHeaderJson(await signV1Payment({ token })));
      expect(requireTerms({ ...terms, tokens }, payment).token).toBe(token);
    }
    // A contract's signature tells nothing: the first token is meant.
    const payment = decodePayment('X-PAYMENT', encodeHeaderJson(await signV1Payment({ token: second })));
    const contracts = change(payment, { signature: `0x${'12'.repeat(80)}` });
    expect(requireTerms({ ...terms, tokens }, contracts).token).toBe(usdc);
  });

  it('take the names of v1 in v1 only', async () => {
    const payment = await decode();
    expect(() => requireTerms(terms, { ...payment, network: 'base' })).toThrow('eip155:8453');
    expect(requireTerms(terms, { ...payment, version: 1, network: 'base' }).token).toBe(usdc);
    expect(() => requireTerms(terms, { ...payment, version: 1, network: 'polygon' })).toThrow('polygon');
  });

  it.each([
    ['another recipient', { recipient: other }, 'payTo'],
    ['another token', { token: other }, 'token'],
    ['nothing', { maximum: 0n }, '0'],
    ['another amount than it says', { maximum: 5_001n }, 'differ'],
  ] as const)('are broken by %s', async (_, signed, message) => {
    const payment = change(await decode(), signed);
    expect(() => requireTerms(terms, payment)).toThrow(
      expect.objectContaining({ code: 'payment_invalid', message: expect.stringContaining(message) }),
    );
  });

  it('are broken by a proxy or a facilitator that is not ours', async () => {
    const upto = await decode({ kind: 'permit2-upto' });
    expect(() => requireTerms(terms, change(upto, { facilitator: other }))).toThrow('witness.facilitator');
    expect(() => requireTerms(terms, change(upto, { spender: other }))).toThrow('spender');
    expect(() => requireTerms({ ...terms, hasUpto: false }, upto)).toThrow('upto is not offered');
    const exact = await decode({ kind: 'permit2-exact' });
    expect(() => requireTerms(terms, change(exact, { spender: other }))).toThrow('spender');
    expect(() => requireTerms(terms, change(exact, { kind: 'eip3009' }))).toThrow('by Permit2');
    expect(() => requireTerms({ ...terms, hasPermit2Exact: false }, exact)).toThrow('not offered');
  });

  it('want a payment that outlasts the call', async () => {
    const { signed } = await decode();
    const now = Number(signed.validBefore) - terms.maxTimeoutSeconds;
    const allowedDelay = terms.maxTimeoutSeconds - terms.minValiditySeconds;
    requireTime(terms, signed, now + allowedDelay);
    const expired = expect.objectContaining({ code: 'payment_expired' });
    expect(() => requireTime(terms, signed, now + allowedDelay + 1)).toThrow(expired);
    expect(() => requireTime(terms, { ...signed, validAfter: BigInt(now + 1) }, now)).toThrow(expired);
  });
});
