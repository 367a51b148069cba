import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ChargeResult } from '../ledger/ledger.ts';
import { admitPayment } from './admit-payment.ts';
import { createFreeMethod } from './free/free-method.ts';
import type { MethodAdmission, PaymentMethod, PaymentRequest } from './payment-method.ts';

const base: MethodAdmission = {
  ...{ funds: null, channel: null, token: null, headroom: null, scopes: [], keyId: null, idempotencyScope: null },
  wantsPaymentEvents: false,
};
const toy: PaymentMethod = {
  name: 'toy',
  carries: ({ authorization }) => authorization?.startsWith('Toy ') === true,
  admit: async ({ headers: { authorization } }) => {
    if (!authorization?.startsWith('Toy ')) return undefined;
    if (authorization === 'Toy 0') throw new AutoPayError('insufficient_headroom', 'Bring a coin.');
    return Promise.resolve({ ...base, challengeId: 'coin' });
  },
  challenge: () => undefined,
  finish: ({ challengeId = 'none' }) => Promise.resolve({ headers: { 'toy-receipt': challengeId }, events: '' }),
};

function by(authorization: string | undefined): PaymentRequest {
  return { headers: { authorization }, body: Buffer.from('{}'), path: '/', callId: 'a', quotes: () => undefined };
}

describe('payment methods', () => {
  it('are asked in order, and the one that knows the request decides', async () => {
    const methods = [toy, createFreeMethod()];
    expect(await admitPayment(methods, by('Toy 1'))).toMatchObject({ challengeId: 'coin' });
    await expect(admitPayment(methods, by('Toy 0'))).rejects.toMatchObject({ code: 'insufficient_headroom' });
    expect(await admitPayment(methods, by('Bearer unused'))).toMatchObject({ ...base, funds: null });
  });

  it('that admitted a call also finish it', async () => {
    const admission = await admitPayment([createFreeMethod(), toy].reverse(), by('Toy 1'));
    // No part of the charge is read by the toy.
    expect(await admission.finish({} as ChargeResult)).toEqual({ headers: { 'toy-receipt': 'coin' }, events: '' });
  });

  it('that all pass a request over leave it unpaid', async () => {
    await expect(admitPayment([toy], by(undefined))).rejects.toMatchObject({ code: 'payment_required' });
  });
});
