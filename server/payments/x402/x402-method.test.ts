import { describe, expect, it, vi } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { decodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import type { PaymentState, StoredPayment } from '../../ledger/background-ledger.ts';
import type { ChargeResult, DirectPayment } from '../../ledger/ledger.ts';
import type { SettlementOutcome } from '../../settlement/settle-payment.ts';
import { paymentHeaders, payer, signPayment, signV1Payment, terms, usdc } from './x402-fixture.ts';
import { createX402 } from './x402-method.ts';

const hash: Hex = `0x${'ab'.repeat(32)}`;

/** A method whose ledger, verifier and chain the test sets. */
function createMethod() {
  const stored = new Map<Hex, StoredPayment>();
  const verify = vi.fn((): Promise<bigint> => Promise.resolve(9_000n));
  const settle = vi.fn((): Promise<SettlementOutcome> => Promise.resolve({ state: 'settled', transactionHash: hash }));
  const method = createX402({
    terms,
    verifier: { verify },
    ledger: { getPayment: (id) => Promise.resolve(stored.get(id)) },
    settlement: { settle },
    nowMs: () => Date.now(),
  });
  const admit = (headers: Record<string, string>) =>
    method.admit({ headers, body: Buffer.alloc(0), path: '/', callId: 'call', quotes: () => undefined });
  const keep = (payment: DirectPayment, state: PaymentState) =>
    stored.set(payment.paymentId, {
      ...payment,
      ...{ state, callId: 'call', charge: 0n, captured: 0n, transactionHash: null, lossReason: null },
    });
  return { method, admit, keep, verify, settle };
}

async function admitted(subject: ReturnType<typeof createMethod>, headers: Record<string, string>) {
  const admission = await subject.admit(headers);
  if (admission?.funds?.kind !== 'direct') throw new Error('nothing was admitted');
  return { admission, payment: admission.funds.payment };
}

const charged = (captured: bigint, paymentId: Hex) => ({ payment: { paymentId, captured } }) as ChargeResult;

describe('x402', () => {
  it('knows its headers', async () => {
    const { method, admit } = createMethod();
    expect(method.carries({ 'payment-signature': 'x' })).toBe(true);
    expect(method.carries({ 'x-payment': 'x' })).toBe(true);
    expect(method.carries({ authorization: 'Payment x' })).toBe(false);
    expect(await admit({})).toBeUndefined();
  });

  it('admits a payment of the payer, once verified', async () => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, paymentHeaders(await signPayment()));
    expect(payment).toMatchObject({ kind: 'eip3009', payer, token: usdc.address, maximum: 5_000n, available: 9_000n });
    expect(admission).toMatchObject({ token: usdc.address, headroom: null, idempotencyScope: payer, channel: null });
    expect(subject.verify).toHaveBeenCalledOnce();
  });

  it('refuses what cannot be verified, or ends too soon', async () => {
    const subject = createMethod();
    subject.verify.mockRejectedValue(new AutoPayError('invalid_signature', 'no'));
    await expect(subject.admit(paymentHeaders(await signPayment()))).rejects.toThrow(
      expect.objectContaining({ code: 'invalid_signature' }),
    );
    const short = await signPayment({ terms: { ...terms, maxTimeoutSeconds: 60 } });
    await expect(subject.admit(paymentHeaders(short))).rejects.toThrow(
      expect.objectContaining({ code: 'payment_expired' }),
    );
  });

  it.each(['reserved', 'due', 'settled', 'lost', 'forgiven'] as const)(
    'admits a payment again that is %s, without asking the chain',
    async (state) => {
      const subject = createMethod();
      const headers = paymentHeaders(await signPayment());
      const { payment } = await admitted(subject, headers);
      subject.keep(payment, state);
      subject.verify.mockRejectedValue(new AutoPayError('payment_already_used', 'used'));
      expect((await admitted(subject, headers)).payment).toEqual({ ...payment, available: null });
      expect(subject.verify).toHaveBeenCalledOnce();
    },
  );

  it('verifies a payment again whose call was released', async () => {
    const subject = createMethod();
    const headers = paymentHeaders(await signPayment());
    subject.keep((await admitted(subject, headers)).payment, 'released');
    await admitted(subject, headers);
    expect(subject.verify).toHaveBeenCalledTimes(2);
  });

  it('trusts no payment that only has the nonce of a known one', async () => {
    const subject = createMethod();
    const payment = await signPayment();
    subject.keep((await admitted(subject, paymentHeaders(payment))).payment, 'settled');
    const forged = structuredClone(payment) as { payload: { signature: string } };
    forged.payload.signature = `0x${'11'.repeat(65)}`;
    subject.verify.mockRejectedValue(new AutoPayError('invalid_signature', 'no'));
    await expect(subject.admit(paymentHeaders(forged))).rejects.toThrow('no');
  });

  it('admits a payment that its twin used up while it was looked at', async () => {
    const subject = createMethod();
    const headers = paymentHeaders(await signPayment());
    const { payment } = await admitted(subject, headers);
    subject.verify.mockImplementation(() => {
      subject.keep(payment, 'settled');
      return Promise.reject(new AutoPayError('payment_already_used', 'used'));
    });
    expect((await admitted(subject, headers)).payment).toEqual({ ...payment, available: null });
  });

  it('tells the payer by which transaction it was paid', async () => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, paymentHeaders(await signPayment()));
    const { headers, events } = await subject.method.finish(admission, charged(5_000n, payment.paymentId));
    expect(decodeHeaderJson('PAYMENT-RESPONSE', headers['payment-response'] ?? '')).toEqual({
      ...{ success: true, transaction: hash, network: 'eip155:8453', payer, amount: '5000' },
    });
    expect(events).toBe('');
    expect(subject.settle).toHaveBeenCalledExactlyOnceWith(payment.paymentId);
  });

  it('answers version 1 as version 1', async () => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, paymentHeaders(await signV1Payment(), 'x-payment'));
    const { headers } = await subject.method.finish(admission, charged(5_000n, payment.paymentId));
    expect(decodeHeaderJson('X-PAYMENT-RESPONSE', headers['x-payment-response'] ?? '')).toEqual({
      ...{ success: true, transaction: hash, network: 'base', payer },
    });
  });

  it('needs no transaction for a charge of nothing', async () => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, paymentHeaders(await signPayment({ kind: 'permit2-upto' })));
    const { headers } = await subject.method.finish(admission, charged(0n, payment.paymentId));
    expect(decodeHeaderJson('PAYMENT-RESPONSE', headers['payment-response'] ?? '')).toMatchObject({
      ...{ success: true, transaction: '', amount: '0' },
    });
    expect(subject.settle).not.toHaveBeenCalled();
  });

  it.each([
    [{ state: 'pending' }, 'settlement_pending'],
    [{ state: 'lost', reason: 'poor' }, 'settlement_failed'],
  ] as const)('withholds the answer while the settlement is %o', async (outcome, code) => {
    const subject = createMethod();
    const { admission, payment } = await admitted(subject, paymentHeaders(await signPayment()));
    subject.settle.mockResolvedValue(outcome);
    await expect(subject.method.finish(admission, charged(5_000n, payment.paymentId))).rejects.toThrow(
      expect.objectContaining({ code }),
    );
  });
});
