import { afterEach, expect, it, vi } from 'vitest';
import { createUnansweredPayments, type SellerPayment } from './unanswered-payments.ts';

// How a wallet uses it: pay-seller.test.ts.
afterEach(() => vi.useRealTimers());

const request = (key: string, text = 'a') => ({
  ...{ url: 'https://seller.example/v1', headers: new Headers({ 'idempotency-key': key }), body: Buffer.from(text) },
  signal: new AbortController().signal,
});
const goodFor = (seconds: number) =>
  ({ payment: { validBefore: Math.floor(Date.now() / 1_000) + seconds } }) as SellerPayment;

it('finds the payment of the same request, until it is answered', () => {
  const unanswered = createUnansweredPayments();
  const sent = goodFor(60);
  unanswered.keep(request('one'), sent);
  unanswered.keep(request('one', 'b'), goodFor(60));
  expect(unanswered.find(request('one'))).toBe(sent);
  expect([unanswered.find(request('two')), unanswered.find(request('one', 'c'))]).toEqual([undefined, undefined]);
  unanswered.end(request('one'));
  expect(unanswered.find(request('one'))).toBeUndefined();
});

it('finds none whose signature has lapsed, and keeps no more than a thousand', () => {
  vi.useFakeTimers();
  const unanswered = createUnansweredPayments();
  unanswered.keep(request('one'), goodFor(60));
  vi.advanceTimersByTime(61_000);
  expect(unanswered.find(request('one'))).toBeUndefined();
  for (let index = 0; index < 1_001; index += 1) unanswered.keep(request(`key ${index}`), goodFor(60));
  expect(unanswered.find(request('key 0'))).toBeUndefined();
  expect(unanswered.find(request('key 1'))).toBeDefined();
});
