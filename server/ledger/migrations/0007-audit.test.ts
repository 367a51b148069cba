import { expect, test } from 'vitest';
import { someCharge, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks } from '../test-books.ts';
import { books as firstTables } from './0001-books.ts';
import { migrate, migrations } from './migrate.ts';

const version = 7;

test('a ledger that is in use is brought to it: its charges keep their hours, and it goes on', () => {
  const books = openTestBooks();
  const { db } = books;
  const charge = (callIds: string[]) =>
    books.runGroup(callIds.map((callId) => ({ name: 'charge', argument: someCharge(callId, 0n) })));
  const reserve = () => {
    const request = someReserve(null, 0n);
    books.run('reserve', request);
    return request.callId;
  };
  try {
    charge([reserve(), reserve()]);
    for (let count = 0; count < 4; count += 1) charge([reserve()]);
    const left = reserve();
    // The hours 5, 5, 6, and, after the clock was set back, 5 again.
    const setTime = db.prepare('UPDATE receipt_batches SET signed_at_ms = ? WHERE batch_id = ?');
    const ids = db.prepare('SELECT batch_id FROM receipt_batches ORDER BY batch_id').all();
    [5.1, 5.9, 6, 6.5, 5.5].forEach((hour, at) => setTime.run(hour * 3_600_000, ids[at]?.['batch_id'] ?? null));
    // As version 6 left it.
    for (const table of ['evidence_horizon', 'pins', 'evidence', 'attestations', 'checkpoints', 'log_hours'])
      db.exec(`DROP TABLE ${table}`);
    for (const index of ['channels_by_payer', 'direct_payments_by_booking']) db.exec(`DROP INDEX ${index}`);
    db.exec('ALTER TABLE calls DROP COLUMN attempts');
    db.exec(/CREATE TABLE attempts [^;]+;/.exec(firstTables)?.[0] ?? '');
    db.exec(`PRAGMA user_version = ${version - 1}`);
    migrate(db, migrations.slice(0, version - 1));

    migrate(db, migrations.slice(0, version));
    expect(db.prepare('SELECT * FROM log_hours ORDER BY first_index').all()).toEqual([
      { first_index: 0, hour: 5 },
      { first_index: 3, hour: 6 },
      { first_index: 5, hour: 5 },
    ]);
    expect(db.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
    migrate(db);
    books.caches.clear();
    const [late] = charge([left]);
    expect(late).toMatchObject({ ok: true });
    expect(db.prepare('SELECT first_index FROM log_hours ORDER BY first_index DESC').get()).toEqual({ first_index: 6 });
  } finally {
    books.close();
  }
});
