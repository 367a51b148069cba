import { afterEach, beforeEach, expect, test } from 'vitest';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import { signedOf, someAttempt, someChannel, someCharge, someReserve, testKey, testScope } from './ledger-fixtures.ts';
import type { ChargeResult } from './ledger.ts';
import type { OperationCall, OperationOutcome } from './messages.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const reserve = (argument: unknown): OperationCall => ({ name: 'reserve', argument });
const charge = (argument: unknown): OperationCall => ({ name: 'charge', argument });

function countOf(table: 'calls' | 'charges' | 'attempts' | 'receipt_batches'): number {
  return Number(books.db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
}

function receiptsOf(outcomes: readonly OperationOutcome[]) {
  return outcomes.flatMap((outcome) => (outcome.ok ? [outcome.value as ChargeResult] : []));
}

/** Makes the COMMIT of every transaction that reserves a call fail, as a broken disk would. */
function breakCommits(): void {
  books.db.exec(`
    CREATE TABLE poison (x INTEGER REFERENCES poison_parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE poison_parent (x INTEGER PRIMARY KEY);
    CREATE TRIGGER poisoned AFTER INSERT ON calls BEGIN INSERT INTO poison VALUES (1); END;
  `);
}

test('the charges of a group share one signature, and each receipt verifies', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const requests = [1n, 2n, 3n].map((step) => someReserve({ channelId, cumulativeAmount: step * 100n }, 100n));
  books.runGroup(requests.map(reserve));
  const results = receiptsOf(books.runGroup(requests.map((request) => charge(someCharge(request.callId, 40n)))));
  expect(results.map(({ receipt }) => [receipt.sequence, receipt.runningTotal])).toEqual([
    [1, 40n],
    [2, 80n],
    [3, 120n],
  ]);
  const receipts = results.map(signedOf);
  expect(new Set(receipts.map(({ signature }) => Buffer.from(signature).toString('hex'))).size).toBe(1);
  for (const signed of receipts) {
    verifySignedReceipt(signed, { scope: testScope, signer: addressOfPrivateKey(testKey) });
  }
  expect(countOf('receipt_batches')).toBe(1);
});

test('an operation that throws half-way is undone by itself; its neighbours stand', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const requests = [1n, 2n, 3n].map((step) => someReserve({ channelId, cumulativeAmount: step * 100n }, 100n));
  books.runGroup(requests.map(reserve));
  const [first, second, third] = requests.map((request) => someCharge(request.callId, 40n));
  // Two attempts with one number: fails at the very last of the writes.
  const broken = { ...second, attempts: [someAttempt(), someAttempt()] };
  const outcomes = books.runGroup([charge(first), charge(broken), charge(third)]);
  expect(outcomes.map((outcome) => outcome.ok)).toEqual([true, false, true]);
  expect(receiptsOf(outcomes).map(({ receipt }) => receipt.sequence)).toEqual([1, 2]);
  expect(receiptsOf(outcomes).map(signedOf).map(({ index, size }) => [index, size])).toEqual([
    [0, 2],
    [1, 2],
  ]);
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 80n, reserved: 100n, sequence: 2 });
  expect([countOf('charges'), countOf('attempts')]).toEqual([2, 2]);
});

test('reservations are announced before the commit, refusals too, failures not', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const good = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
  const refused = someReserve({ channelId, cumulativeAmount: 101n }, 100n);
  const broken = someReserve(null, 5n);
  const seen: { index: number; ok: boolean; isOpen: boolean }[] = [];
  books.runGroup([reserve(good), reserve(broken), reserve(refused)], (decisions) => {
    for (const { index, decision } of decisions) seen.push({ index, ok: decision.ok, isOpen: books.db.isTransaction });
  });
  expect(seen).toEqual([
    { index: 0, ok: true, isOpen: true },
    { index: 2, ok: false, isOpen: true },
  ]);
});

test('if the commit fails, nothing of the group remains, and the next group is well', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  breakCommits();
  const request = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
  let decisions = 0;
  expect(() =>
    books.runGroup([reserve(request), charge(someCharge(request.callId, 40n))], () => {
      decisions += 1;
    }),
  ).toThrow('FOREIGN KEY constraint failed');
  expect(decisions).toBe(1);
  expect([countOf('calls'), countOf('charges'), countOf('receipt_batches')]).toEqual([0, 0, 0]);
  expect(books.run('getChannel', channelId)).toMatchObject({ reserved: 0n, charged: 0n, sequence: 0 });

  books.db.exec('DROP TRIGGER poisoned');
  books.run('reserve', request);
  expect(books.run('charge', someCharge(request.callId, 40n)).receipt.sequence).toBe(1);
});

test('a disk that is full fails the group, not the books', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const pages = Number(books.db.prepare('PRAGMA page_count').get()?.['page_count']);
  books.db.exec(`PRAGMA max_page_count = ${pages}`);
  const requests = Array.from({ length: 200 }, (_, index) =>
    someReserve({ channelId, cumulativeAmount: BigInt(index + 1) }, 1n),
  );
  let failure: unknown;
  try {
    const outcomes = books.runGroup(requests.map(reserve));
    expect(outcomes.every((outcome) => outcome.ok)).toBe(false);
  } catch (error) {
    failure = error;
  }
  books.db.exec('PRAGMA max_page_count = 4294967294');
  const { reserved } = books.run('getChannel', channelId) ?? {};
  expect(reserved).toBe(BigInt(countOf('calls')));
  if (failure !== undefined) expect(reserved).toBe(0n);
  const free = someReserve(null, 0n);
  expect(books.run('reserve', free).ok).toBe(true);
});
