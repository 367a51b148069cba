import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { directPayment, makeRequest, MemorySink, someResult } from './call-fixtures.ts';
import { endStream, finishLater, finishPayment } from './finish-payment.ts';
import type { Admission } from './types.ts';

const paid = someResult('a-call', { payment: { paymentId: `0x${'77'.repeat(32)}`, captured: 20n } });
const charged = { receipt: 'QUJD', result: paid };

function start(finish: Admission['finish'], changes: Partial<Admission> = {}) {
  const unfinished: { callId: string; error: unknown }[] = [];
  const request = makeRequest({}, { ...directPayment(), finish, ...changes });
  const sink = new MemorySink();
  const deps = { onUnfinished: (report: { callId: string; error: unknown }) => void unfinished.push(report) };
  return { context: { deps, request, sink }, sink, unfinished };
}

describe('a payment that cannot be finished', () => {
  it('before the answer is told as the method says it, with the receipt', async () => {
    const { context } = start(() => Promise.reject(new AutoPayError('settlement_failed', 'Broke.')));
    await expect(finishPayment(context, charged)).rejects.toMatchObject({
      code: 'settlement_failed',
      status: 402,
      headers: { 'x-autopay-receipt': 'QUJD', 'cache-control': 'no-store' },
    });
  });

  it('for a reason that nobody foresaw is still to be had by the same request', async () => {
    const { context } = start(() => {
      throw new Error('a bug');
    });
    await expect(finishPayment(context, charged)).rejects.toMatchObject({ code: 'settlement_pending', status: 503 });
  });

  it('after the answer is reported', async () => {
    const error = new Error('a bug');
    const { context, unfinished } = start(() => {
      throw error;
    });
    finishLater(context, paid);
    await expect.poll(() => unfinished).toEqual([{ callId: 'a-call', error }]);
  });

  it('at the end of a stream is reported, and the stream ends well', async () => {
    const error = new Error('late');
    const { context, sink, unfinished } = start(() => Promise.reject(error), { wantsPaymentEvents: true });
    await endStream(context, charged);
    expect(sink.text).toBe(': autopay-receipt QUJD\n\ndata: [DONE]\n\n');
    expect([sink.ended, unfinished]).toEqual([true, [{ callId: 'a-call', error }]]);
  });
});

it.each(['/v1/responses', '/v1/messages'])('no named event follows the last one of %s', async (path) => {
  let finished = 0;
  const events = 'event: payment-receipt\ndata: {}\n\n';
  const { context, sink } = start(
    () => {
      finished += 1;
      return Promise.resolve({ headers: {}, events });
    },
    { wantsPaymentEvents: true },
  );
  await endStream({ ...context, request: { ...context.request, path } }, charged);
  expect(sink.text).toBe(': autopay-receipt QUJD\n\n');
  expect([sink.ended, finished]).toEqual([true, 1]);
});

it('funds that a free call did not use are not finished', async () => {
  const { context } = start(() => Promise.reject(new Error('nothing was paid')));
  const free = { receipt: 'QUJD', result: someResult('a-call') };
  expect(await finishPayment(context, free)).toEqual({ headers: {}, events: '' });
});
