import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { migrate, migrations } from './migrate.ts';

const version = 8;

test('evidence of before is kept, and nothing counts as pruned yet', () => {
  const db = new DatabaseSync(':memory:');
  try {
    db.exec('PRAGMA foreign_keys = ON');
    migrate(db, migrations.slice(0, version - 1));
    const [digest, callId] = [Buffer.alloc(32, 1), Buffer.alloc(16, 2)];
    db.prepare('INSERT INTO attestations VALUES (?, ?, ?)').run(digest, '{}', 5);
    db.prepare('INSERT INTO evidence VALUES (?, ?, ?)').run(callId, digest, '{"a":1}');
    migrate(db, migrations.slice(0, version));
    expect(db.prepare('SELECT body FROM evidence').all()).toEqual([{ body: '{"a":1}' }]);
    expect(db.prepare('SELECT before_ms FROM evidence_horizon').all()).toEqual([{ before_ms: 0 }]);
    // Whoever names an attestation is found by the index, or each one that goes would have all evidence read.
    const plan = db.prepare('EXPLAIN QUERY PLAN SELECT 1 FROM evidence WHERE attestation = ?').all(digest);
    expect(plan.map((row) => row['detail'])).toEqual([expect.stringContaining('evidence_by_attestation')]);
  } finally {
    db.close();
  }
});
