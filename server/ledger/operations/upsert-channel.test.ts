import { afterEach, beforeEach, expect, test } from 'vitest';
import { zeroBytes32 } from '../../../protocol/bytes/hex.ts';
import { someChannel, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

test('a new channel starts with nothing accepted, charged or reserved', () => {
  const channel = someChannel({ deposit: 10n ** 22n });
  expect(books.run('upsertChannel', channel)).toEqual({
    ...channel,
    acceptedCumulative: 0n,
    acceptedSignature: null,
    charged: 0n,
    reserved: 0n,
    sequence: 0,
  });
});

test("the chain's side changes, the books' side stays", () => {
  const channel = someChannel();
  books.run('upsertChannel', channel);
  books.run('reserve', someReserve({ channelId: channel.channelId, cumulativeAmount: 50n }, 40n));
  const after = books.run('upsertChannel', { ...channel, deposit: 2_000_000n, settled: 3n, closeRequestedAt: 77 });
  expect(after).toMatchObject({
    deposit: 2_000_000n,
    settled: 3n,
    closeRequestedAt: 77,
    acceptedCumulative: 50n,
    reserved: 40n,
  });
  expect(books.run('getChannel', channel.channelId)).toEqual(after);
});

test('an older read takes neither settlement nor finality back; a cancelled close is', () => {
  const channel = someChannel();
  books.run('upsertChannel', { ...channel, settled: 9n, finalized: true, closeRequestedAt: 5 });
  expect(books.run('upsertChannel', channel)).toMatchObject({ settled: 9n, finalized: true, closeRequestedAt: 0 });
});

test('identity does not change; letter case is not identity', () => {
  const channel = someChannel({ payer: `0x${'ab'.repeat(20)}` });
  books.run('upsertChannel', channel);
  expect(() => books.run('upsertChannel', { ...channel, salt: zeroBytes32 })).toThrow('cannot change its salt');
  books.run('upsertChannel', { ...channel, payer: `0x${'AB'.repeat(20)}` });
  expect(books.run('getChannel', `0x${channel.channelId.slice(2).toUpperCase()}`)?.payer).toBe(channel.payer);
});

test('channels are listed by id, page by page', () => {
  const ids = Array.from({ length: 5 }, () => books.run('upsertChannel', someChannel()).channelId).sort();
  const first = books.run('listChannels', { limit: 3 }).map((channel) => channel.channelId);
  expect(first).toEqual(ids.slice(0, 3));
  expect(books.run('listChannels', { after: ids[2] ?? '0x' }).map((channel) => channel.channelId)).toEqual(
    ids.slice(3),
  );
});
