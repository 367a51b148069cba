import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import { encodeReceipt } from '../../../protocol/receipt/encode-receipt.ts';
import { temporaryFolder } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';
import { maxQueuedQuestions, openAuditQueries, type OpenAuditQueries } from './open-audit-queries.ts';
import { chainIds, makeCharge, openChannel } from './query-fixtures.ts';

const payer: Hex = `0x${'a1'.repeat(20)}`;
let books: TestBooks;
let queries: OpenAuditQueries;
beforeEach(() => {
  books = openTestBooks();
  queries = openAuditQueries({ file: books.db.location() ?? '' });
});
afterEach(async () => {
  await queries.close();
  books.close();
});

function charge() {
  const channelId = openChannel(books, { chainId: chainIds[0], payer });
  const words = { keyId: null, model: 'sim-small', provider: 'simulated' };
  return makeCharge(books, { ...words, chainId: chainIds[0], channelId, payer });
}

const listAll = () => queries.listCalls({ filter: {}, order: 'asc', limit: 10, format: 'json' });

test('what is durable is seen at once, and what is not is not', async () => {
  expect(await listAll()).toMatchObject({ count: 0, size: 0, next: null });
  const { receipt } = charge();
  expect(await listAll()).toMatchObject({ count: 1, size: 1 });
  expect(await queries.findLeaf({ callId: receipt.callId })).toMatchObject({ index: 0 });

  // A question that comes between BEGIN and COMMIT neither waits for them nor sees what they change.
  books.db.exec('BEGIN IMMEDIATE');
  books.db.exec('DELETE FROM charges');
  expect(await listAll()).toMatchObject({ count: 1, size: 1 });
  books.db.exec('ROLLBACK');
});

test('an answer in bytes arrives as it is', async () => {
  const { receipt } = charge();
  const leaf = await queries.findLeaf({ index: 0 });
  expect(leaf && toHex(leaf.leafHash)).toBe(toHex(hashLeaf(encodeReceipt(receipt))));
  expect(await queries.findLeaf({ index: 1 })).toBeUndefined();
});

test('too many questions are refused, and the others are answered', async () => {
  const asked = Array.from({ length: maxQueuedQuestions + 1 }, () => listAll());
  const settled = await Promise.allSettled(asked);
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(maxQueuedQuestions);
  expect(settled.at(-1)).toMatchObject({ reason: { code: 'overloaded' } });
});

test('a question that fails is an error of its own', async () => {
  charge();
  const foreign = { filter: { payer: '0x12' as Hex }, order: 'asc', limit: 1, format: 'json' } as const;
  await expect(queries.listCalls(foreign)).rejects.toMatchObject({ name: 'AutoPayError' });
  expect(await listAll()).toMatchObject({ count: 1 });
});

test('closing answers what was asked before; later questions are refused', async () => {
  const asked = listAll();
  const closing = queries.close();
  expect(await asked).toMatchObject({ count: 0 });
  await closing;
  await expect(listAll()).rejects.toMatchObject({ code: 'internal_error' });
});

test('a reader that dies fails what waits, and the next question begins another', async () => {
  const { dataDir, remove } = temporaryFolder();
  const file = join(dataDir, 'ledger.sqlite');
  const reader = openAuditQueries({ file });
  await expect(reader.findLeaf({ index: 0 })).rejects.toMatchObject({ code: 'internal_error' });
  writeFileSync(file, 'this is no ledger');
  await expect(reader.findLeaf({ index: 0 })).rejects.toMatchObject({ code: 'internal_error' });
  await reader.close();
  remove();
});
