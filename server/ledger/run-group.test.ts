import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import { breakCommits, signedOf, someChannel, someCharge, someReserve, testKey, testScope } from './ledger-fixtures.ts';
import type { ChargeResult } from './ledger.ts';
import type { Decision, OperationCall, OperationOutcome } from './messages.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const reserve = (argument: unknown): OperationCall => ({ name: 'reserve', argument });
const charge = (argument: unknown): OperationCall => ({ name: 'charge', argument });
/** Evidence whose attestation was never stored: a charge fails by it at the very last of its writes. */
const unknownAttestation = { body: '{}', attestation: `0x${'dd'.repeat(32)}` } as const;

function countOf(table: 'calls' | 'charges' | 'receipt_batches'): number {
  return Number(books.db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
}

function receiptsOf(outcomes: readonly OperationOutcome[]) {
  return outcomes.flatMap((outcome) => (outcome.ok ? [outcome.value as ChargeResult] : []));
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
  const broken = { ...second, evidence: unknownAttestation };
  const outcomes = books.runGroup([charge(first), charge(broken), charge(third)]);
  expect(outcomes.map((outcome) => outcome.ok)).toEqual([true, false, true]);
  expect(receiptsOf(outcomes).map(({ receipt }) => receipt.sequence)).toEqual([1, 2]);
  expect(
    receiptsOf(outcomes)
      .map(signedOf)
      .map(({ index, size }) => [index, size]),
  ).toEqual([
    [0, 2],
    [1, 2],
  ]);
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 80n, reserved: 100n, sequence: 2 });
  expect(countOf('charges')).toBe(2);
  expect(books.db.prepare('SELECT count(*) AS n FROM calls WHERE attempts IS NOT NULL').get()).toEqual({ n: 2 });
  expect(books.run('listEntries', { from: 0, limit: 9 }).map(({ index }) => index)).toEqual([0, 1]);
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
  const mend = breakCommits(books.db);
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

  mend();
  books.run('reserve', request);
  expect(books.run('charge', someCharge(request.callId, 40n)).receipt.sequence).toBe(1);
  // The log goes on from where it was.
  expect(books.db.prepare('SELECT log_index, batch_id FROM charges').all()).toEqual([{ log_index: 0, batch_id: 1 }]);
  expect(books.db.prepare('SELECT first_index FROM log_hours').all()).toEqual([{ first_index: 0 }]);
});

test('a call whose reservation was not committed holds nothing that could be charged or freed', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  books.run('reserve', someReserve({ channelId, cumulativeAmount: 100n }, 100n));
  const mend = breakCommits(books.db);
  const lost = someReserve({ channelId, cumulativeAmount: 200n }, 100n);
  expect(() => books.runGroup([reserve(lost)])).toThrow('FOREIGN KEY constraint failed');
  mend();
  expect(() => books.run('charge', someCharge(lost.callId, 40n))).toThrow('was never reserved');
  expect(books.run('release', { callId: lost.callId, reason: 'internal_error', attempts: [] })).toBeNull();
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 0n, reserved: 100n });
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

test('what cannot be rolled back is not committed with the next group either', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  breakCommits(books.db);
  const request = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
  const exec = vi.spyOn(books.db, 'exec').mockImplementationOnce(() => {
    throw new Error('disk I/O error');
  });
  expect(() => books.runGroup([reserve(request)])).toThrow('disk I/O error');
  exec.mockRestore();
  // From here on a commit of it would succeed.
  books.db.exec('DELETE FROM poison');
  expect(() => books.run('getChannel', channelId)).toThrow('within a transaction');
  expect(books.run('getChannel', channelId)).toMatchObject({ reserved: 0n, acceptedCumulative: 0n });
  expect(countOf('calls')).toBe(0);
});

const patient = (step: bigint, channelId: Hex) =>
  someReserve({ channelId, cumulativeAmount: step * 100n }, 100n, { mayWait: true });

type Hold = ReturnType<typeof patient>;

/** What another connection sees: what is durable. */
function durable(table: 'calls' | 'charges'): number {
  const other = new DatabaseSync(books.db.location() ?? '', { readOnly: true });
  try {
    return Number(other.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
  } finally {
    other.close();
  }
}

test('reservations that may wait are decided at once, and become durable with the charge that follows', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const [first, second] = [patient(1n, channelId), patient(2n, channelId)];
  const heard: number[][] = [];
  const listen = (decisions: readonly Decision[]) => heard.push(decisions.map(({ index }) => index));
  expect([books.runGroup([reserve(first)], listen), books.runGroup([reserve(second)], listen)]).toEqual([[], []]);
  // Of the second, its place in the transaction.
  expect(heard).toEqual([[0], [1]]);
  expect([countOf('calls'), durable('calls')]).toEqual([2, 0]);
  const outcomes = books.runGroup([charge(someCharge(first.callId, 40n))]);
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true]);
  expect([durable('calls'), countOf('charges')]).toEqual([2, 1]);
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 40n, reserved: 100n });
});

test('reservations that nothing follows are committed when told to', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  books.runGroup([reserve(patient(1n, channelId))]);
  expect(books.commit()).toMatchObject([{ ok: true }]);
  expect(durable('calls')).toBe(1);
  expect(books.run('getChannel', channelId)).toMatchObject({ reserved: 100n });
});

test('one reservation that may not wait has its group committed', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const urgent = someReserve({ channelId, cumulativeAmount: 200n }, 100n);
  expect(books.runGroup([reserve(patient(1n, channelId)), reserve(urgent)])).toHaveLength(2);
  expect(durable('calls')).toBe(2);
});

test('an operation that throws undoes nothing of the groups that waited for it', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const [first, second] = [patient(1n, channelId), patient(2n, channelId)];
  books.runGroup([reserve(first)]);
  books.runGroup([reserve(second)]);
  const broken = { ...someCharge(second.callId, 40n), evidence: unknownAttestation };
  const outcomes = books.runGroup([charge(someCharge(first.callId, 30n)), charge(broken)]);
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, false]);
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 30n, reserved: 100n, sequence: 1 });
  expect([durable('calls'), countOf('charges')]).toEqual([2, 1]);
});

test('if the commit fails, nothing remains of the groups that waited for it either', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const mend = breakCommits(books.db);
  const request = patient(1n, channelId);
  books.runGroup([reserve(request)]);
  expect(() => books.runGroup([charge(someCharge(request.callId, 40n))])).toThrow('FOREIGN KEY constraint failed');
  expect(books.run('getChannel', channelId)).toMatchObject({ reserved: 0n, charged: 0n, sequence: 0 });
  mend();
  books.run('reserve', { ...request, mayWait: false });
  expect(books.run('charge', someCharge(request.callId, 40n)).channel).toMatchObject({ charged: 40n, sequence: 1 });
});

test('if a reservation that was announced cannot be made again, none of its transaction is', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  books.db.exec(`CREATE TRIGGER unlucky BEFORE INSERT ON calls WHEN new.voucher_cumulative = x'${'00'.repeat(15)}c8'
    BEGIN SELECT raise(ABORT, 'no luck'); END`);
  const [first, second] = [patient(1n, channelId), patient(2n, channelId)];
  books.runGroup([reserve(first)]);
  // Rolled back with the transaction, which is what makes the second run differ from the first.
  books.db.exec('DROP TRIGGER unlucky');
  const announced: boolean[] = [];
  books.runGroup([reserve(second)], (decisions) => announced.push(...decisions.map(({ decision }) => decision.ok)));
  expect(announced).toEqual([true]);
  const broken = { ...someCharge(first.callId, 40n), evidence: unknownAttestation };
  expect(() => books.runGroup([charge(broken)])).toThrow('cannot be made again');
  expect(books.run('getChannel', channelId)).toMatchObject({ reserved: 0n, acceptedCumulative: 0n });
  expect(durable('calls')).toBe(0);
});

test('sums that many calls of a group change are written once', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  books.db.exec(`CREATE TABLE writes (charged BLOB);
    CREATE TRIGGER counted AFTER UPDATE ON channels BEGIN INSERT INTO writes VALUES (new.charged); END`);
  const requests = [1n, 2n, 3n].map((step) => patient(step, channelId));
  books.runGroup(requests.map(reserve));
  books.runGroup(requests.map(({ callId }) => charge(someCharge(callId, 40n))));
  expect(books.db.prepare('SELECT count(*) AS n FROM writes').get()).toEqual({ n: 1 });
  // What reads the table itself comes after the write.
  const last = patient(4n, channelId);
  const outcomes = books.runGroup([reserve(last), { name: 'listChannels', argument: {} }]);
  expect(outcomes[1]).toMatchObject({ ok: true, value: [{ charged: 120n, reserved: 100n }] });
});

/** Three reserved calls on a channel. */
function threeReserved() {
  const { channelId } = books.run('upsertChannel', someChannel());
  const requests = [1n, 2n, 3n].map((step) => someReserve({ channelId, cumulativeAmount: step * 100n }, 100n));
  books.runGroup(requests.map(reserve));
  return { channelId, callIds: requests.map(({ callId }) => callId) as [string, string, string] };
}

test('groups that share a transaction share its batch of receipts, and nothing of them is durable before', () => {
  const { channelId, callIds } = threeReserved();
  const before = Date.now();
  for (const callId of callIds) expect(books.runner.run([charge(someCharge(callId, 40n))])).toEqual([]);
  expect([books.runner.size, books.runner.mayWait, durable('charges')]).toEqual([3, false, 0]);
  const receipts = receiptsOf(books.commit()).map(signedOf);
  expect([books.runner.size, durable('charges')]).toEqual([0, 3]);
  expect(receipts.map(({ index, size }) => [index, size])).toEqual([
    [0, 3],
    [1, 3],
    [2, 3],
  ]);
  for (const signed of receipts) {
    verifySignedReceipt(signed, { scope: testScope, signer: addressOfPrivateKey(testKey) });
    expect(signed.signedAtMs).toBeGreaterThanOrEqual(before);
  }
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 120n, reserved: 0n });
});

test('an operation that throws undoes nothing of the groups before it, and they have their receipts', () => {
  const { channelId, callIds } = threeReserved();
  const [first, second, third] = callIds.map((callId) => someCharge(callId, 40n));
  books.runner.run([charge(first)]);
  books.runner.run([charge({ ...second, evidence: unknownAttestation })]);
  books.runner.run([charge(third)]);
  const outcomes = books.commit();
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true]);
  const receipts = receiptsOf(outcomes).map(signedOf);
  expect(receipts.map(({ index, size }) => [index, size])).toEqual([
    [0, 2],
    [1, 2],
  ]);
  for (const signed of receipts) {
    verifySignedReceipt(signed, { scope: testScope, signer: addressOfPrivateKey(testKey) });
  }
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 80n, reserved: 100n });
});

test('a sum that cannot be written fails the operation that changed it, not its neighbours', () => {
  const [first, second] = [threeReserved(), threeReserved()];
  books.db.exec(`CREATE TRIGGER unlucky BEFORE UPDATE ON channels WHEN old.channel_id = x'${second.channelId.slice(2)}'
    BEGIN SELECT raise(ABORT, 'no luck'); END`);
  // Sums are written at the end of the transaction, so it is only there that one of them throws.
  books.runner.run([charge(someCharge(first.callIds[0], 40n)), charge(someCharge(second.callIds[0], 40n))]);
  expect(books.commit().map(({ ok }) => ok)).toEqual([true, false]);
  expect(books.run('getChannel', first.channelId)).toMatchObject({ charged: 40n, reserved: 200n });
  expect(books.run('getChannel', second.channelId)).toMatchObject({ charged: 0n, reserved: 300n });
  expect(countOf('charges')).toBe(1);
});

test('if the commit fails, nothing remains of any group of the transaction', () => {
  const { channelId, callIds } = threeReserved();
  breakCommits(books.db);
  books.runner.run([charge(someCharge(callIds[0], 40n))]);
  books.runner.run([reserve(someReserve({ channelId, cumulativeAmount: 400n }, 100n))]);
  books.runner.run([charge(someCharge(callIds[1], 40n))]);
  expect(() => books.commit()).toThrow('FOREIGN KEY constraint failed');
  expect([books.runner.size, countOf('charges'), countOf('receipt_batches')]).toEqual([0, 0, 0]);
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 0n, reserved: 300n });
});

test('a batch is not signed before its charges, though the clock is set back between its groups', () => {
  const { callIds } = threeReserved();
  vi.useFakeTimers({ toFake: ['Date'], now: 1_790_000_100_000 });
  try {
    for (const [index, callId] of callIds.entries()) {
      vi.setSystemTime(1_790_000_100_000 + ([0, 5, -3_600_000][index] ?? 0));
      books.runner.run([charge(someCharge(callId, 40n))]);
    }
    const results = receiptsOf(books.commit());
    expect(results.map(({ receipt }) => receipt.chargedAtMs - 1_790_000_100_000)).toEqual([0, 5, 5]);
    expect(results.map((result) => signedOf(result).signedAtMs - 1_790_000_100_000)).toEqual([5, 5, 5]);
  } finally {
    vi.useRealTimers();
  }
});

test('groups behind one that throws share what it left of the transaction, and each decision keeps its place', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const [first, second, third] = [1n, 2n, 3n].map((step) => patient(step, channelId)) as [Hold, Hold, Hold];
  const free = (callId: string): OperationCall => ({
    name: 'release',
    argument: { callId, reason: 'client_gone', attempts: [] },
  });
  const heard = [
    books.runner.run([reserve(first), reserve(patient(1n, channelId))]),
    books.runner.run([charge({ ...someCharge(first.callId, 40n), evidence: unknownAttestation }), reserve(second)]),
    books.runner.run([free(first.callId), reserve(third), reserve(someReserve(null, 5n))]),
  ];
  expect(heard.map((decisions) => decisions.map(({ index, decision }) => [index, decision.ok]))).toEqual([
    [
      [0, true],
      [1, false],
    ],
    [[3, true]],
    [[5, true]],
  ]);
  expect(books.commit().map(({ ok }) => ok)).toEqual([true, true, false, true, true, true, false]);
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 0n, reserved: 200n, sequence: 0 });
  expect([durable('calls'), durable('charges')]).toEqual([3, 0]);
});

test('a repeated charge in a later group of its transaction has the same receipt', () => {
  const { callIds } = threeReserved();
  const request = someCharge(callIds[0], 40n);
  books.runner.run([charge(request)]);
  books.runner.run([charge(someCharge(callIds[1], 40n))]);
  books.runner.run([charge(request), { name: 'findAnswer', argument: callIds[0] }]);
  const outcomes = books.commit();
  const [first, , again] = receiptsOf(outcomes.slice(0, 3));
  expect(again).toEqual(first);
  expect(outcomes[3]).toMatchObject({ ok: true, value: { state: 'charged', result: first } });
  expect(books.run('charge', request).signedReceipt).toBe(first?.signedReceipt);
});

test('if a reservation was announced on funds that a charge cannot free after all, none of its transaction is', () => {
  const { channelId } = books.run('upsertChannel', someChannel({ deposit: 100n }));
  const first = someReserve({ channelId, cumulativeAmount: 99n }, 99n);
  books.run('reserve', first);
  // It throws where the channel's sums are written, which is when all of it has been decided.
  books.db.exec(`CREATE TRIGGER unlucky BEFORE UPDATE ON channels WHEN new.sequence > 0
    BEGIN SELECT raise(ABORT, 'no luck'); END`);
  books.runner.run([charge(someCharge(first.callId, 40n))]);
  const [told] = books.runner.run([reserve(someReserve({ channelId, cumulativeAmount: 100n }, 60n))]);
  expect(told).toMatchObject({ index: 1, decision: { ok: true } });
  expect(() => books.commit()).toThrow('cannot be made again');
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 0n, reserved: 99n, acceptedCumulative: 99n });
  expect([countOf('calls'), countOf('charges')]).toEqual([1, 0]);
});

test('if SQLite gives up a transaction whose operations are guarded, nothing of it remains, and the next is well', () => {
  const { channelId, callIds } = threeReserved();
  books.db.exec(`CREATE TRIGGER unlucky BEFORE INSERT ON calls WHEN new.model = 'unlucky'
    BEGIN SELECT raise(ROLLBACK, 'disk full'); END`);
  books.runner.run([charge({ ...someCharge(callIds[0], 40n), evidence: unknownAttestation })]);
  books.runner.run([charge(someCharge(callIds[1], 40n))]);
  const unlucky = someReserve({ channelId, cumulativeAmount: 400n }, 100n, { model: 'unlucky' });
  expect(() => books.runner.run([charge(someCharge(callIds[2], 40n)), reserve(unlucky)])).toThrow('disk full');
  expect([books.runner.size, books.db.isTransaction, countOf('charges')]).toEqual([0, false, 0]);
  expect(books.commit()).toEqual([]);
  expect(books.run('charge', someCharge(callIds[2], 40n)).receipt).toMatchObject({ sequence: 1, runningTotal: 40n });
});

test('a reservation that fails is told without delay, though it might have waited', () => {
  expect(books.runner.run([reserve(someReserve(null, 5n, { mayWait: true }))])).toEqual([]);
  expect(books.runner.mayWait).toBe(false);
  expect(books.commit()).toMatchObject([{ ok: false }]);
  expect(books.runner.mayWait).toBe(true);
});
