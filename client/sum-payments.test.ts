import { expect, it } from 'vitest';
import type { StoredPayment } from './payment-store.ts';
import { sumPayments } from './sum-payments.ts';

const token = `0x${'dc'.repeat(20)}`;
const base: StoredPayment = {
  ...{ paymentId: '0x01', atMs: Date.parse('2026-11-21T10:00:00Z'), state: 'settled', method: 'x402/exact' },
  ...{ url: 'https://seller.example/api/v1/chat/completions', chainId: 8_453, token, payTo: `0x${'a1'.repeat(20)}` },
  ...{ amount: '900', taken: '700', transaction: '0x02', validBefore: 0, evidence: 'seller', callId: null, reason: '' },
};

it('sums by service and token what has no receipt: what was taken, or else what was signed', () => {
  const payments: StoredPayment[] = [
    base,
    { ...base, state: 'signed', taken: null, evidence: 'none' },
    { ...base, state: 'refused', taken: null, amount: '5' },
    { ...base, chainId: 10 },
    { ...base, evidence: 'autopay-receipt', callId: 'x' },
    { ...base, url: 'https://another.example/v1', atMs: Date.parse('2026-11-22T00:00:00Z') },
  ];
  const seller = { service: 'https://seller.example', token };
  expect(sumPayments(payments)).toEqual([
    { service: 'https://another.example', chainId: 8_453, token, payments: 1, amount: 700n, unconfirmed: 0 },
    { ...seller, chainId: 8_453, payments: 3, amount: 1_605n, unconfirmed: 2 },
    { ...seller, chainId: 10, payments: 1, amount: 700n, unconfirmed: 0 },
  ]);
  expect(sumPayments(payments, { since: '2026-11-22' })).toHaveLength(1);
  expect(sumPayments(payments, { until: '2026-11-21' })).toHaveLength(2);
});
