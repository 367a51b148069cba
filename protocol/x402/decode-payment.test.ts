import { describe, expect, it } from 'vitest';
import {
  account,
  payer,
  plain,
  signPayment,
  signV1Payment,
  terms,
  usdc,
} from '../../server/payments/x402/x402-fixture.ts';
import { exactProxyAddress, uptoProxyAddress } from './addresses.ts';
import { decodePayment } from './decode-payment.ts';
import { encodeHeaderJson } from './header-json.ts';

const decode = (payment: unknown) => decodePayment('PAYMENT-SIGNATURE', encodeHeaderJson(payment));

describe('an x402 payment', () => {
  it('is read as the client of @x402 signs it: EIP-3009', async () => {
    const { scheme, network, accepted, signed } = decode(await signPayment());
    expect([scheme, network]).toEqual(['exact', 'eip155:8453']);
    expect(accepted).toEqual({ asset: usdc.address, amount: 5_000n, payTo: terms.desk });
    expect(signed).toMatchObject({
      ...{ kind: 'eip3009', payer, token: usdc.address, recipient: terms.desk, maximum: 5_000n, validAfter: 0n },
      ...{ spender: null, facilitator: null },
    });
    expect(account.address.toLowerCase()).toBe(payer);
  });

  it('is read as the client of @x402 signs it: Permit2, exact and upto', async () => {
    const exact = decode(await signPayment({ kind: 'permit2-exact' })).signed;
    expect(exact).toMatchObject({ kind: 'permit2-exact', token: plain.address, spender: exactProxyAddress });
    expect(exact.nonce).toMatch(/^0x[0-9a-f]{64}$/);
    const upto = decode(await signPayment({ kind: 'permit2-upto' })).signed;
    expect(upto).toMatchObject({ kind: 'permit2-upto', spender: uptoProxyAddress, facilitator: terms.desk });
  });

  it('is read in version 1, which names no token', async () => {
    const { version, network, accepted, signed } = decode(await signV1Payment());
    expect([version, network, accepted, signed.token]).toEqual([1, 'base', null, null]);
  });

  it.each([
    ['no object', 'payment'],
    ['null', null],
    ['no version', {}],
    ['version 3', { x402Version: 3 }],
    ['no offer', { x402Version: 2, payload: {} }],
    ['v1 with another scheme', { x402Version: 1, scheme: 'upto', network: 'base', payload: {} }],
  ])('is refused: %s', (_, payment) => {
    expect(() => decode(payment)).toThrow(expect.objectContaining({ code: 'malformed_credential' }));
  });

  it.each([
    ['value', -1],
    ['value', '-1'],
    ['value', '01'],
    ['value', '1e3'],
    ['value', (1n << 128n).toString()],
    ['validBefore', (1n << 256n).toString()],
    ['nonce', '0x00'],
    ['from', '0x00'],
    ['to', 5],
  ])('is refused with %s = %s', async (member, value) => {
    const payment = structuredClone(await signPayment()) as { payload: { authorization: Record<string, unknown> } };
    payment.payload.authorization[member] = value;
    expect(() => decode(payment)).toThrow(expect.objectContaining({ code: 'malformed_credential' }));
  });

  it('is refused with a signature that no contract would be asked about', async () => {
    const payment = await signPayment();
    const payload = payment['payload'] as object;
    for (const signature of ['0x', '0x12', `0x${'00'.repeat(1_025)}`, 'hello']) {
      expect(() => decode({ ...payment, payload: { ...payload, signature } })).toThrow('signature');
    }
  });
});
