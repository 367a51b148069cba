import { expect, test } from 'vitest';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { toHex } from '../../protocol/bytes/hex.ts';
import { openTestBooks } from './test-books.ts';

const digest = toHex(Buffer.alloc(32, 1));

test('an attestation is kept once, and evidence comes with the one that it names', () => {
  const books = openTestBooks();
  try {
    const { evidence } = books.stores;
    const [plain, attested] = [createCallId(), createCallId()];
    books.run('putAttestation', { digest, body: '{"first":1}' });
    books.run('putAttestation', { digest, body: '{"second":2}' });
    evidence.insert(plain, { body: '{}', attestation: null });
    evidence.insert(attested, { body: '{"a":1}', attestation: digest });
    expect(books.run('findEvidence', plain)).toEqual({ body: '{}', attestation: null });
    expect(books.run('findEvidence', attested)).toEqual({ body: '{"a":1}', attestation: '{"first":1}' });
    expect(books.run('findEvidence', createCallId())).toBeUndefined();
    const unknown = { body: '{}', attestation: toHex(Buffer.alloc(32, 2)) };
    expect(() => evidence.insert(createCallId(), unknown)).toThrow('FOREIGN KEY');
  } finally {
    books.close();
  }
});

const dayMs = 86_400_000;

test('what is old enough is pruned, oldest first, and said to be; an attestation stays while it is named', () => {
  const books = openTestBooks();
  try {
    const { evidence } = books.stores;
    const calls = [1, 2, 3, 3.5].map((day) => createCallId(day * dayMs));
    const [first, second, third, bare] = calls.map(String) as [string, string, string, string];
    const digestAt = (day: number) => toHex(Buffer.alloc(32, day));
    for (const day of [1, 2, 9])
      evidence.putAttestation({ digest: digestAt(day), body: `{"day":${day}}`, nowMs: day * dayMs });
    evidence.insert(first, { body: '{"n":1}', attestation: digestAt(1) });
    evidence.insert(second, { body: '{"n":2}', attestation: null });
    evidence.insert(third, { body: '{"n":3}', attestation: digestAt(2) });
    const attestations = () => books.db.prepare('SELECT body FROM attestations ORDER BY stored_at_ms').all();

    expect(evidence.prune(3 * dayMs, 1)).toBe(2);
    expect(books.run('findEvidence', first)).toEqual({ prunedBeforeMs: 3 * dayMs });
    expect(books.run('findEvidence', second)).toEqual({ body: '{"n":2}', attestation: null });
    expect(attestations()).toEqual([{ body: '{"day":2}' }, { body: '{"day":9}' }]);
    expect(books.run('pruneEvidence', 3 * dayMs)).toBe(1);
    expect(books.run('pruneEvidence', 3 * dayMs)).toBe(0);
    expect(books.run('findEvidence', second)).toEqual({ prunedBeforeMs: 3 * dayMs });
    expect(books.run('findEvidence', third)).toEqual({ body: '{"n":3}', attestation: '{"day":2}' });
    expect(books.run('findEvidence', bare)).toBeUndefined();

    // Kept for longer from now on: what is gone stays said to be gone.
    expect(books.run('pruneEvidence', dayMs)).toBe(0);
    expect(books.run('findEvidence', second)).toEqual({ prunedBeforeMs: 3 * dayMs });
    expect(books.run('pruneEvidence', 4 * dayMs)).toBe(2);
    expect(attestations()).toEqual([{ body: '{"day":9}' }]);
    expect(books.db.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
  } finally {
    books.close();
  }
});
