import { afterEach, beforeEach, expect, test } from 'vitest';
import { zeroBytes32 } from '../../../protocol/bytes/hex.ts';
import { someChannel, someCharge, someReserve } from '../ledger-fixtures.ts';
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

test('a read at an older block changes nothing: it must not reopen a channel that is closing', () => {
  const channel = someChannel({ readAtBlock: 10 });
  books.run('upsertChannel', channel);
  const closing = books.run('upsertChannel', { ...channel, closeRequestedAt: 77, readAtBlock: 12 });
  expect(books.run('upsertChannel', { ...channel, deposit: 2_000_000n, readAtBlock: 11 })).toEqual(closing);
  expect(books.run('getChannel', channel.channelId)).toEqual(closing);
  expect(books.run('upsertChannel', { ...channel, readAtBlock: 12 })).toMatchObject({ closeRequestedAt: 0 });
});

test('settlement and finality are never taken back; a cancelled close is', () => {
  const channel = someChannel();
  books.run('upsertChannel', { ...channel, settled: 9n, finalized: true, closeRequestedAt: 5 });
  const later = { ...channel, readAtBlock: 2 };
  expect(books.run('upsertChannel', later)).toMatchObject({ settled: 9n, finalized: true, closeRequestedAt: 0 });
});

test('a closing channel has debt while a charge was not taken, or a reservation is open', () => {
  const hasDebt = () => books.run('oldestClosingDebt', undefined) !== undefined;
  const channel = someChannel();
  const { channelId } = channel;
  const closing = { ...channel, closeRequestedAt: 77 };
  books.run('upsertChannel', channel);
  const request = someReserve({ channelId, cumulativeAmount: 50n }, 40n);
  books.run('reserve', request);
  expect(hasDebt()).toBe(false);
  books.run('upsertChannel', closing);
  expect(hasDebt()).toBe(true);
  books.run('charge', someCharge(request.callId, 30n));
  expect(hasDebt()).toBe(true);
  books.run('upsertChannel', { ...closing, settled: 30n });
  expect(hasDebt()).toBe(false);
  books.run('upsertChannel', { ...closing, settled: 29n, finalized: true });
  expect(hasDebt()).toBe(false);
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
