import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { admitPayment, collectChallenges } from './admit-payment.ts';
import { createFreeMethod } from './free/free-method.ts';
import type { PaymentMethod } from './payment-method.ts';

/** A toy method: "Toy <coins>" pays if it has a coin. It shows that the border holds without chain and channel. */
const toy: PaymentMethod = {
  name: 'toy',
  admit: async ({ authorization }) => {
    if (!authorization?.startsWith('Toy ')) return undefined;
    if (authorization === 'Toy 0') throw new AutoPayError('insufficient_headroom', 'Bring a coin.');
    return Promise.resolve({ voucher: null, channel: null, challengeId: 'coin', wantsPaymentEvents: false });
  },
  challenge: ({ quotes }) => ({
    headers: { 'WWW-Authenticate': 'Toy' },
    facts: { quote: String(quotes?.get('0x01')), toys: 1 },
  }),
};
const otherToy: PaymentMethod = {
  ...toy,
  challenge: () => ({ headers: { 'WWW-Authenticate': 'Other' }, facts: { toys: 2 } }),
};

describe('payment methods', () => {
  it('are asked in order, and the one that knows the request decides', async () => {
    const methods = [toy, createFreeMethod()];
    expect(await admitPayment(methods, { authorization: 'Toy 1' })).toMatchObject({ challengeId: 'coin' });
    await expect(admitPayment(methods, { authorization: 'Toy 0' })).rejects.toMatchObject({
      code: 'insufficient_headroom',
    });
    const free = await admitPayment(methods, { authorization: 'Bearer unused' });
    expect(free).toEqual({ voucher: null, channel: null, wantsPaymentEvents: false });
  });

  it('that all pass a request over leave it unpaid', async () => {
    await expect(admitPayment([toy], { authorization: undefined })).rejects.toMatchObject({ code: 'payment_required' });
  });

  it('join their challenges in one header; the first one’s facts win', () => {
    expect(collectChallenges([toy, otherToy, createFreeMethod()], { quotes: new Map([['0x01', 3n]]) })).toEqual({
      headers: { 'WWW-Authenticate': 'Toy, Other' },
      facts: { quote: '3', toys: 1 },
    });
  });
});
