import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import {
  otherScope,
  someChannel,
  someCharge,
  someDirectReserve,
  someKey,
  somePayment,
  someReserve,
  testKey,
  testScope,
  testToken,
  signedOf,
} from './ledger-fixtures.ts';
import type { TransactionAttempt } from './background-ledger.ts';
import type { ChargeResult } from './ledger.ts';
import { migrate, migrations } from './migrations/migrate.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

const home = testScope.chainId;
const other = otherScope.chainId;
const account: Hex = `0x${'ab'.repeat(20)}`;
let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

/** A charge of 40 on a new channel of a chain. */
function chargeOn(chainId: number): { channelId: Hex; result: ChargeResult } {
  const { channelId } = books.run('upsertChannel', someChannel(), chainId);
  const request = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
  books.run('reserve', request, chainId);
  return { channelId, result: books.run('charge', someCharge(request.callId, 40n), chainId) };
}

const signer = addressOfPrivateKey(testKey);

describe('books of two chains', () => {
  it('show nothing of one chain to the other', () => {
    const { channelId } = chargeOn(other);
    expect(books.run('getChannel', channelId)).toBeUndefined();
    expect(books.run('getChannel', channelId, other)).toMatchObject({ channelId, charged: 40n });
    expect(books.run('listChannels', {})).toEqual([]);
    expect(books.run('openCollection', { maxClaims: 10 })).toBeUndefined();
    expect(books.run('openCollection', { maxClaims: 10 }, other)).toMatchObject({ token: testToken });
  });

  it('charge no channel of one chain to a call on the other', () => {
    const { channelId } = books.run('upsertChannel', someChannel(), other);
    const asked = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
    expect(books.run('reserve', asked)).toMatchObject({ ok: false, refusal: { code: 'channel_not_found' } });
    books.run('reserve', asked, other);
    expect(() => books.run('charge', someCharge(asked.callId, 1n))).toThrow('was never reserved');
  });

  it('sign one batch for each chain that a commit charges on, and give them one log', () => {
    const requests = [home, other, home].map((chainId) => {
      const { channelId } = books.run('upsertChannel', someChannel(), chainId);
      const request = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
      books.run('reserve', request, chainId);
      return { chainId, request };
    });
    const outcomes = books.runGroup(
      requests.map(({ chainId, request }) => ({ chainId, name: 'charge', argument: someCharge(request.callId, 1n) })),
    );
    const results = outcomes.map((outcome) => (outcome.ok ? (outcome.value as ChargeResult) : undefined));
    const signed = results.map((result) => result && signedOf(result));
    const scopes = [testScope, otherScope, testScope];
    signed.forEach((receipt, index) => {
      const scope = scopes[index];
      if (!receipt || !scope) throw new Error('a receipt is missing');
      verifySignedReceipt(receipt, { scope, signer });
      const wrong = scope === testScope ? otherScope : testScope;
      expect(() => verifySignedReceipt(receipt, { scope: wrong, signer })).toThrow();
    });
    expect(signed.map((receipt) => [receipt?.index, receipt?.size])).toEqual([
      [0, 2],
      [0, 1],
      [1, 2],
    ]);
    // As they are read again, paths included.
    requests.forEach(({ request }, index) => {
      const stored = books.run('getSignedReceipt', request.callId);
      expect(stored && encodeSignedReceipt(stored)).toBe(results[index]?.signedReceipt);
    });
    expect(books.run('listEntries', { from: 0, limit: 10 }, other).map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it('undo a charge that fails without a gap in the batches', () => {
    const { channelId } = books.run('upsertChannel', someChannel(), other);
    const good = someReserve({ channelId, cumulativeAmount: 100n }, 10n);
    books.run('reserve', good, other);
    const outcomes = books.runGroup([
      { name: 'charge', argument: someCharge('0197a1b2-0000-7000-8000-000000000000', 1n) },
      { name: 'charge', argument: someCharge(good.callId, 1n), chainId: other },
    ]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([false, true]);
    expect(books.db.prepare('SELECT batch_id, chain_id FROM receipt_batches').all()).toEqual([
      { batch_id: 1, chain_id: other },
    ]);
  });

  it('give the same purpose and nonce of an account once on each chain', () => {
    const attempt = (byte: string): TransactionAttempt => ({
      hash: `0x${byte.repeat(32)}`,
      raw: '0x01',
      signedAtMs: 1,
    });
    const transaction = { purpose: 'anchor:7', account, nonce: 3 };
    expect(books.run('enqueueTransaction', { ...transaction, attempt: attempt('01') })).toMatchObject({ nonce: 3 });
    expect(books.run('nextNonce', account, other)).toBeUndefined();
    const there = books.run('enqueueTransaction', { ...transaction, attempt: attempt('02') }, other);
    expect(there?.attempts).toEqual([attempt('02')]);
    expect(
      books.run('enqueueTransaction', { ...transaction, purpose: 'anchor:8', attempt: attempt('03') }),
    ).toBeUndefined();
    expect(books.run('listUnfinishedTransactions', account, other)).toHaveLength(1);
  });

  it('count what a scope spends in a token apart, where two chains have the same address', () => {
    const scope = { id: 'payer:0x01', window: 0, limit: 150n, endsAtSeconds: null };
    const reserveOn = (chainId: number) => {
      const { channelId } = books.run('upsertChannel', someChannel(), chainId);
      return books.run(
        'reserve',
        someReserve({ channelId, cumulativeAmount: 100n }, 100n, { scopes: [scope] }),
        chainId,
      );
    };
    expect([reserveOn(home).ok, reserveOn(other).ok, reserveOn(home).ok]).toEqual([true, true, false]);
    const place = { id: scope.id, window: 0, token: testToken };
    expect(books.run('getSpending', [place], other)).toMatchObject([{ reserved: 100n }]);
  });

  it('take a payment once, whatever chain it comes on, and settle it on its own', () => {
    const payment = somePayment({ available: 10n ** 9n });
    const first = someDirectReserve(payment, 500n);
    expect(books.run('reserve', first, other)).toMatchObject({ ok: true });
    const again = books.run('reserve', someDirectReserve(payment, 500n));
    expect(again).toMatchObject({ ok: false, refusal: { code: 'payment_already_used' } });
    books.run('charge', someCharge(first.callId, 300n), other);
    const lost = { paymentId: payment.paymentId, reason: 'no funds' };
    expect(() => books.run('losePayment', lost)).toThrow('cannot become lost');
    expect(books.run('listDuePayments', { limit: 10 })).toEqual([]);
    expect(books.run('getDuePayment', payment.paymentId)).toBeUndefined();
    expect(books.run('listDuePayments', { limit: 10 }, other)).toHaveLength(1);
    expect([books.run('countPayments', undefined), books.run('countPayments', undefined, other)]).toEqual([
      { due: 0, lost: 0 },
      { due: 1, lost: 0 },
    ]);
  });

  it('refuse on every chain who owes on one', () => {
    const payment = somePayment({ available: 10n ** 9n });
    const lost = someDirectReserve(payment, 500n);
    books.run('reserve', lost, other);
    books.run('charge', someCharge(lost.callId, 300n), other);
    books.run('losePayment', { paymentId: payment.paymentId, reason: 'no funds' }, other);
    const next = somePayment({ payer: payment.payer, available: 10n ** 9n });
    expect(books.run('reserve', someDirectReserve(next, 1n))).toMatchObject({ refusal: { code: 'payer_owes' } });
  });

  it('keep the idempotency keys of a payer apart', () => {
    const idempotency = someKey('one', 'a', `payer`);
    const reserveOn = (chainId: number) => {
      const { channelId } = books.run('upsertChannel', someChannel(), chainId);
      return books.run('reserve', someReserve({ channelId, cumulativeAmount: 9n }, 9n, { idempotency }), chainId);
    };
    expect([reserveOn(home).ok, reserveOn(other).ok]).toEqual([true, true]);
    expect(reserveOn(other)).toMatchObject({ ok: false, refusal: { code: 'idempotent_repeat' } });
  });

  it('anchor the log on each chain, and keep each chain’s small values apart', () => {
    chargeOn(home);
    const root = Buffer.alloc(32, 1);
    books.run('addBlock', { start: 0, size: 1, cid: 'bafy', root, frontier: [root] });
    const transactionHash = toHex(Buffer.alloc(32, 2));
    books.run('recordAnchor', { size: 1, transactionHash }, other);
    expect([books.run('anchoredSize', undefined), books.run('anchoredSize', undefined, other)]).toEqual([0, 1]);
    books.run('setState', { key: 'next', value: '1' });
    books.run('setState', { key: 'next', value: '2' }, other);
    expect([books.run('getState', 'next'), books.run('getState', 'next', other)]).toEqual(['1', '2']);
  });

  it('are not opened for a chain that was not named', () => {
    expect(() => books.run('anchoredSize', undefined, 1)).toThrow('not opened for chain 1');
  });
});

it('books of one chain become those of their home chain', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, migrations.slice(0, 3));
  db.exec(`INSERT INTO scope VALUES (1, ${home}, x'${'aa'.repeat(20)}')`);
  db.exec(`INSERT INTO transactions VALUES (1, 'anchor:1', x'${'ab'.repeat(20)}', 0, 'succeeded')`);
  db.exec(`INSERT INTO scope_spending VALUES ('key:1', 0, x'${'cc'.repeat(20)}', zeroblob(16), zeroblob(16))`);
  db.exec(`INSERT INTO anchors VALUES (1, x'${'02'.repeat(32)}')`);
  migrate(db);
  for (const table of ['transactions', 'scope_spending', 'anchors', 'chains']) {
    expect(db.prepare(`SELECT chain_id FROM ${table}`).all()).toEqual([{ chain_id: home }]);
  }
});
