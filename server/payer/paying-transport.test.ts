import { expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { TransportError, type UpstreamResponse } from '../call/transport.ts';
import { answer, LogLines, payable, transportOf } from './payer-fixture.ts';
import { createPayingTransport } from './paying-transport.ts';
import type { PaymentRequired, SignedPurchase, UpstreamPayer } from './upstream-payer.ts';

const asked: PaymentRequired[] = [];

class Purchase implements SignedPurchase {
  readonly headers = { 'x-paid': 'yes' };
  readonly taken: number[] = [];
  lost = 0;
  take(response: UpstreamResponse): UpstreamResponse {
    this.taken.push(response.status);
    return response;
  }
  lose(): void {
    this.lost += 1;
  }
}

function payerOf(decide: UpstreamPayer['pay']): ReadonlyMap<string, UpstreamPayer> {
  return new Map([['seller', { pay: decide }]]);
}

it('what asks for no payment, and whom nobody pays, passes as it is', async () => {
  const { log } = new LogLines();
  const never = payerOf(() => Promise.reject(new Error('nothing to pay')));
  const free = createPayingTransport({ transport: transportOf(() => answer(200)), payers: never, log });
  expect(await free.send(payable())).toMatchObject({ status: 200 });
  const transport = transportOf(() => answer(402, { a: 'b' }));
  const other = createPayingTransport({ transport, payers: new Map(), log });
  expect(await other.send(payable())).not.toHaveProperty('unpaid');
  // A probe belongs to no attempt, so it is not paid for.
  const { attempt: _attempt, ...probe } = payable();
  expect(await createPayingTransport({ transport, payers: never, log }).send(probe)).toMatchObject({ status: 402 });
});

it('a 402 is paid, and the same body sent once more', async () => {
  const { log } = new LogLines();
  const purchase = new Purchase();
  const payers = payerOf(async (_, required) => {
    asked.push(required);
    return purchase;
  });
  const transport = transportOf(({ headers }) =>
    headers?.['x-paid'] === undefined ? answer(402, { 'www-authenticate': 'x' }, ['{"accepts"', ':[]}']) : answer(200),
  );
  const request = payable();
  expect(await createPayingTransport({ transport, payers, log }).send(request)).toMatchObject({ status: 200 });
  expect(asked).toEqual([{ headers: { 'www-authenticate': 'x' }, body: { accepts: [] } }]);
  expect(transport.sent.map(({ body }) => body)).toEqual([request.body, request.body]);
  expect(purchase).toMatchObject({ taken: [200], lost: 0 });
});

it('a second 402 is not paid again', async () => {
  const { log } = new LogLines();
  const purchase = new Purchase();
  const transport = transportOf(() => answer(402, {}, ['no JSON']));
  const payers = payerOf(async () => purchase);
  expect(await createPayingTransport({ transport, payers, log }).send(payable())).toMatchObject({ status: 402 });
  expect(transport.sent).toHaveLength(2);
  expect(purchase.taken).toEqual([402]);
});

it('what is declined, or cannot be decided, is a 402 that says nothing against the provider', async () => {
  const lines = new LogLines();
  const transport = transportOf(() => answer(402));
  const send = (pay: UpstreamPayer['pay']) =>
    createPayingTransport({ transport, payers: payerOf(pay), log: lines.log }).send(payable());
  expect(await send(async () => ({ declined: 'too dear', facts: { price: '9' } }))).toMatchObject({ unpaid: true });
  expect(await send(() => Promise.reject(new AutoPayError('chain_unavailable', 'gone')))).toMatchObject({
    unpaid: true,
  });
  expect(await send(() => Promise.reject(new Error('the books are closed')))).toMatchObject({
    status: 402,
    unpaid: true,
  });
  expect(transport.sent).toHaveLength(3);
  expect(lines.lines.map(({ facts }) => facts)).toMatchObject([
    { provider: 'seller', number: 1, reason: 'too dear', price: '9' },
    { reason: 'chain_unavailable: gone' },
    { reason: expect.stringContaining('the books are closed') },
  ]);
});

it('a payment whose answer is lost, or that was given up, is told so; what was given up before is not paid', async () => {
  const { log } = new LogLines();
  const purchase = new Purchase();
  const controller = new AbortController();
  const paying = createPayingTransport({
    ...{ log, payers: payerOf(async () => purchase) },
    transport: transportOf(({ headers }) => (headers ? new TransportError('unreachable', 'reset') : answer(402))),
  });
  await expect(paying.send(payable())).rejects.toMatchObject({ failure: 'unreachable' });
  expect(purchase.lost).toBe(1);
  controller.abort();
  await expect(paying.send(payable({ signal: controller.signal }))).rejects.toMatchObject({ failure: 'aborted' });
  expect(purchase).toMatchObject({ lost: 1, taken: [] });
  const late = createPayingTransport({
    ...{ log, transport: transportOf(() => answer(402)) },
    payers: payerOf(async () => (giveUp.abort(), purchase)),
  });
  const giveUp = new AbortController();
  await expect(late.send(payable({ signal: giveUp.signal }))).rejects.toMatchObject({ failure: 'aborted' });
  expect(purchase).toMatchObject({ lost: 2, taken: [] });
});
