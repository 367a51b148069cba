import { setTimeout as sleep } from 'node:timers/promises';
import { privateKeyToAccount } from 'viem/accounts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeNode } from '../chain/fake-node.ts';
import { createTransactionQueue } from '../chain/send-queued-transactions.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { someCharge, someDirectReserve, testToken } from '../ledger/ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../ledger/test-books.ts';
import { describePayment } from './payment-payload.ts';
import { contracts, nowMs, signedPayment } from './settlement-fixture.ts';
import { createSettlementQueue } from './settlement-queue.ts';

const account = privateKeyToAccount(`0x${'5'.repeat(64)}`);
const operations = [
  ...['enqueueTransaction', 'replaceTransaction', 'findTransaction', 'getTransaction', 'finishTransaction'],
  ...['listUnfinishedTransactions', 'nextNonce', 'getPayment', 'getDuePayment', 'listDuePayments', 'countPayments'],
  ...['listRetriedLosses', 'listCarriedPayments', 'settlePayment', 'losePayment'],
] as const;

let books: TestBooks;
let node: FakeNode;
beforeEach(() => {
  books = openTestBooks();
  node = new FakeNode();
});
afterEach(() => books.close());

/** What one process of the relay has, on the same books and the same chain. */
function startProcess({ afterMs = 0 } = {}) {
  const ledger = Object.fromEntries(
    operations.map((name) => [
      name,
      (argument: never) => Promise.resolve().then(() => books.run(name as 'getTransaction', argument)),
    ]),
  ) as unknown as BackgroundLedger;
  const stopping = new AbortController();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const client = node.client();
  const queue = createTransactionQueue({
    ...{ client, ledger, account, chainId: 1, log, signal: stopping.signal },
    ...{ pollingIntervalMs: 2, rebroadcastAfterMs: 20, receiptTimeoutMs: 5_000 },
  });
  const settlement = createSettlementQueue({
    ...{ client, contracts, ledger, queue, log, maxBlocksPerQuery: 1_000, waitMs: 50 },
    nowMs: () => nowMs + afterMs,
  });
  return {
    settlement,
    async stop() {
      stopping.abort();
      await settlement.idle();
      await sleep(5);
    },
  };
}

it.each(['forgiven', 'past its time'])(
  'a payment that is %s when its money comes is booked and given back',
  async (end) => {
    const payment = { ...describePayment({ ...signedPayment(), token: testToken }), available: 10n ** 30n };
    const { paymentId, payer } = payment;
    const request = someDirectReserve(payment, 400n);
    books.run('reserve', request);
    books.run('charge', someCharge(request.callId, 300n));
    books.run('losePayment', { paymentId, reason: 'balance gone' });
    const first = startProcess();
    expect(await first.settlement.settle(paymentId)).toEqual({ state: 'pending' });
    await first.stop();
    expect(books.run('getTransaction', `pay:${paymentId}`)?.status).toBe('signed');

    if (end === 'forgiven') books.run('forgivePayment', paymentId);
    const { settlement, stop } = startProcess({ afterMs: 60 * 86_400_000 });
    const miner = setInterval(() => node.mine(), 5);
    try {
      await settlement.settleDue();
      await settlement.retryLosses();
      await settlement.settleCarried();
    } finally {
      clearInterval(miner);
      await stop();
    }
    expect(node.mined).toHaveLength(1);
    expect(books.run('getPayment', paymentId)).toMatchObject({ state: 'settled', transactionHash: node.mined[0] });
    expect(books.run('openPaymentBooking', { maxPayments: 9 })).toMatchObject({
      spends: [{ amount: 300n }],
      refunds: [{ to: payer, amount: 700n }],
    });
    expect(books.run('listCarriedPayments', { limit: 9 })).toEqual([]);
  },
);
