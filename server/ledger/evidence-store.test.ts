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
