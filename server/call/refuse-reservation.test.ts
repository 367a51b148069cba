import { describe, expect, it } from 'vitest';
import type { Idempotency, ReserveRefusal } from '../ledger/ledger.ts';
import { directPayment, makeChannel, makeFunds, token } from './call-fixtures.ts';
import { refuseReservation, type RefusedReservation } from './refuse-reservation.ts';

const quote = { promptTokens: 1, outputTokens: 1, choices: 1, amount: 500n, shrunk: false };
const budget = { day: 20_000, limitAgpt: 10n, rate: 1n };
const channel = makeChannel({ acceptedCumulative: 700n, charged: 400n, reserved: 100n });
const { funds: direct } = directPayment({ maximum: 300n });
const fundsOf = {
  voucher: makeFunds(700n),
  key: { kind: 'key', channelId: channel.channelId } as const,
  direct: direct ?? makeFunds(0n),
};

function refuse(
  kind: keyof typeof fundsOf,
  refusal: Partial<ReserveRefusal> & Pick<ReserveRefusal, 'code'>,
  idempotency: Idempotency | null = null,
) {
  const refused: RefusedReservation = {
    refusal: { channel: kind === 'direct' ? null : channel, requiredCumulative: 1_000n, ...refusal },
    quote,
    model: 'small',
    paid: { funds: fundsOf[kind], token, budget },
    idempotency,
  };
  const { code, message, facts, status } = refuseReservation(refused);
  return { code, message, facts, status };
}

describe('a refused reservation', () => {
  it('says by what the funds are how to mend them', () => {
    const books = { channelId: channel.channelId, spent: '400', reserved: '100', deposit: '1000000' };
    expect(refuse('voucher', { code: 'insufficient_headroom' })).toMatchObject({
      message: expect.stringContaining('The voucher does not cover the quote'),
      facts: { quote: '500', token, requiredCumulative: '1000', acceptedCumulative: '700', ...books },
    });
    expect(refuse('key', { code: 'insufficient_headroom' })).toMatchObject({
      status: 402,
      message: expect.stringContaining('POST /v1/keys/headroom'),
      facts: { requiredCumulative: '1000', ...books },
    });
    const { facts, message } = refuse('direct', { code: 'insufficient_headroom' });
    expect(message).toContain('at least the quote');
    expect(facts).toEqual({ quote: '500', token, maximum: '300' });
  });

  it('names what is left of an allowance, and of a scope of spending', () => {
    expect(refuse('direct', { code: 'insufficient_allowance', availableAllowance: 7n }).facts).toEqual({
      ...{ quote: '500', token, maximum: '300' },
      available: '7',
    });
    const scope = { id: 'key:k1', window: 0, limit: 9n, charged: 5n, reserved: 2n, endsAtSeconds: 1_700_000_000 };
    const ofKey = refuse('key', { code: 'scope_exceeded', scope });
    expect(ofKey).toMatchObject({ status: 429, message: expect.stringMatching(/of this key/) });
    const ofPayer = refuse('direct', { code: 'scope_exceeded', scope: { ...scope, id: 'payer:0x01' } });
    const remedy: unknown = expect.stringMatching(/one wallet .* wait until resetsAt.*payment\.payerBudget/);
    expect(ofPayer).toMatchObject({ status: 429, message: remedy });
    expect(refuse('key', { code: 'scope_exceeded', scope }).facts).toEqual({
      ...{ quote: '500', token, scope: 'key:k1', limit: '9', charged: '5', reserved: '2' },
      resetsAt: '2023-11-14T22:13:20.000Z',
    });
    const lasting = { ...scope, endsAtSeconds: null };
    expect(refuse('key', { code: 'scope_exceeded', scope: lasting }).facts).not.toHaveProperty('resetsAt');
  });

  it('tells a debtor what is owed, and not to pay again', () => {
    const owed = { paymentId: `0x${'ee'.repeat(32)}` as const, amount: 14n, retriedUntil: 1_700_000_000 };
    expect(refuse('direct', { code: 'payer_owes', owed })).toEqual({
      code: 'payer_owes',
      status: 403,
      message: expect.stringMatching(
        /Fund the wallet .* until retriedUntil .* contact the operator.* Do not pay for this call before/,
      ),
      facts: { paymentId: owed.paymentId, amount: '14', retriedUntil: '2023-11-14T22:13:20.000Z' },
    });
  });

  it('of a key that stands for another request says so; of a payment, that it was used', () => {
    const key = { scope: 's', key: 'mine', bodyDigest: token };
    const mismatch = { code: 'idempotency_mismatch', usedByCallId: 'the-call' } as const;
    expect(refuse('direct', mismatch, key)).toMatchObject({ status: 422, facts: { callId: 'the-call' } });
    const itself = { ...key, key: `0x${'77'.repeat(32)}` };
    expect(refuse('direct', mismatch, itself)).toMatchObject({ code: 'payment_already_used', status: 409 });
    // A client may name its key as it likes, also like a payment.
    expect(refuse('voucher', mismatch, itself)).toMatchObject({ code: 'idempotency_mismatch' });
  });
});
