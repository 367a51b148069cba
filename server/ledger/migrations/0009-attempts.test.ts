import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { encodeAttempts } from '../../call/attempts-digest.ts';
import { someAttempt } from '../ledger-fixtures.ts';
import type { AttemptRecord } from '../ledger.ts';
import { migrate, migrations } from './migrate.ts';

const version = 9;

function insertCall(db: DatabaseSync, callId: Buffer): void {
  db.prepare(
    `INSERT INTO calls (call_id, funds, quote, model, admitted_at_ms, lease_until_ms, state, ended_at_ms, chain_id)
     VALUES (?, 'free', zeroblob(16), 'sim-small', 1, 2, 'charged', 3, 31337)`,
  ).run(callId);
}

function insertAttempt(db: DatabaseSync, callId: Buffer, attempt: AttemptRecord): void {
  const { number, provider, deployment, startedAtMs, endedAtMs, outcome, status, usage, usageKind } = attempt;
  const text = usage === null ? null : JSON.stringify(usage);
  db.prepare('INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
    ...[callId, number, provider, deployment, startedAtMs, endedAtMs, outcome, status, text, usageKind],
  );
}

test('attempts of before stand in the rows of their calls, as their receipts commit to them', () => {
  const db = new DatabaseSync(':memory:');
  try {
    db.exec('PRAGMA foreign_keys = ON');
    migrate(db, migrations.slice(0, version - 1));
    db.prepare('INSERT INTO chains VALUES (31337, zeroblob(20))').run();
    const [tried, untried] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)];
    for (const callId of [tried, untried]) insertCall(db, callId);
    const failed = someAttempt({ outcome: 'timeout', status: null, usage: null, usageKind: 'unknown' });
    const attempts = [failed, someAttempt({ number: 2, deployment: 'a "quoted"@name' })];
    for (const attempt of attempts.toReversed()) insertAttempt(db, tried, attempt);

    migrate(db, migrations.slice(0, version));
    const rows = db.prepare('SELECT attempts FROM calls ORDER BY call_id').all();
    expect(rows[1]).toEqual({ attempts: null });
    const migrated = JSON.parse(String(rows[0]?.['attempts'])) as AttemptRecord[];
    expect(migrated).toEqual(attempts);
    expect(encodeAttempts(migrated)).toBe(encodeAttempts(attempts));
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'attempts'").all()).toEqual([]);
    expect(db.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
  } finally {
    db.close();
  }
});
