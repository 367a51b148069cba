import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex, zeroAddress, type Hex } from '../../../protocol/bytes/hex.ts';
import { someChannel, someCharge, someReserve, testToken } from '../ledger-fixtures.ts';
import type { ChannelOnChain } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const hashA = toHex(Buffer.alloc(32, 0xa));
const hashB = toHex(Buffer.alloc(32, 0xb));

function channelWith(overrides: Partial<ChannelOnChain> = {}): ChannelOnChain {
  const channel = someChannel({ deposit: 10n ** 24n, ...overrides });
  books.run('upsertChannel', channel);
  return channel;
}

/** Charges one call on a channel; its voucher authorises 10 units more than is charged. */
function charge(channel: ChannelOnChain, amount: bigint, receipt: { modelAsked?: string; admittedAtMs?: number } = {}) {
  const { acceptedCumulative = 0n } = books.run('getChannel', channel.channelId) ?? {};
  const voucher = { channelId: channel.channelId, cumulativeAmount: acceptedCumulative + amount + 10n };
  const { admittedAtMs, ...rest } = receipt;
  const request = someReserve(voucher, amount, {
    token: channel.token,
    ...(admittedAtMs === undefined ? {} : { admittedAtMs }),
    ...(rest.modelAsked === undefined ? {} : { model: rest.modelAsked }),
  });
  books.run('reserve', request);
  return books.run('charge', someCharge(request.callId, amount, { token: channel.token, ...rest }));
}

function claimsOf(collection: { claims: readonly { channel: { channelId: Hex }; claimed: bigint }[] } | undefined) {
  return new Map(collection?.claims.map((claim) => [claim.channel.channelId, claim.claimed]));
}

test('nothing charged, nothing to collect; free calls are none to collect', () => {
  channelWith();
  const free = someReserve(null, 0n);
  books.run('reserve', free);
  books.run('charge', someCharge(free.callId, 0n, { token: zeroAddress }));
  expect(books.run('openCollection', { maxClaims: 10 })).toBeUndefined();
});

test('claims what was charged, under the highest voucher', () => {
  const channel = channelWith();
  charge(channel, 100n);
  const { channel: state } = charge(channel, 50n);
  const collection = books.run('openCollection', { maxClaims: 10 });
  expect(collection).toEqual({
    id: 1,
    token: testToken,
    closes: false,
    claims: [{ channel: state, maximum: 170n, signature: state?.acceptedSignature, claimed: 150n, throughSequence: 2 }],
  });
  expect(books.run('listOpenCollections', undefined)).toEqual([collection]);
});

test('a channel is in one open collection at a time; later charges wait for the next', () => {
  const channel = channelWith();
  charge(channel, 100n);
  const first = books.run('openCollection', { maxClaims: 10 });
  charge(channel, 50n);
  expect(books.run('openCollection', { maxClaims: 10 })).toBeUndefined();
  books.run('finishCollection', { id: first?.id ?? 0, transactionHash: hashA, skipped: [] });
  expect(books.run('getChannel', channel.channelId)?.settled).toBe(100n);
  expect(claimsOf(books.run('openCollection', { maxClaims: 10 }))).toEqual(new Map([[channel.channelId, 150n]]));
});

test('one token at a time, closing channels first, at most maxClaims, never finalized ones', () => {
  const other = channelWith({ token: `0x${'dd'.repeat(20)}` });
  charge(other, 1n);
  const patient = channelWith();
  charge(patient, 2n);
  const closing = channelWith();
  charge(closing, 3n);
  books.run('upsertChannel', { ...closing, closeRequestedAt: 99 });
  const finalized = channelWith();
  charge(finalized, 4n);
  books.run('upsertChannel', { ...finalized, finalized: true });

  expect(claimsOf(books.run('openCollection', { maxClaims: 1 }))).toEqual(new Map([[closing.channelId, 3n]]));
  expect(claimsOf(books.run('openCollection', { maxClaims: 9 }))).toEqual(new Map([[other.channelId, 1n]]));
  expect(claimsOf(books.run('openCollection', { maxClaims: 9 }))).toEqual(new Map([[patient.channelId, 2n]]));
  expect(books.run('openCollection', { maxClaims: 9 })).toBeUndefined();
});

test('calls that cost nothing are no claim, and hide none that cost, however many they are', () => {
  const channel = channelWith();
  for (let call = 0; call < 5; call += 1) charge(channel, 0n);
  expect(books.run('openCollection', { maxClaims: 9, maxCharges: 3 })).toBeUndefined();
  charge(channel, 7n);
  charge(channel, 0n);
  charge(channel, 8n);
  charge(channel, 9n);
  const collection = books.run('openCollection', { maxClaims: 9, maxCharges: 2 });
  expect(collection?.claims[0]).toMatchObject({ claimed: 15n, throughSequence: 8 });
  books.run('finishCollection', { id: collection?.id ?? 0, transactionHash: hashA, skipped: [] });
  expect(books.run('listPendingBookings', {})).toMatchObject([{ spends: [{ amount: 15n }], logSize: 8 }]);
  expect(claimsOf(books.run('openCollection', { maxClaims: 9 }))).toEqual(new Map([[channel.channelId, 24n]]));
});

test('a collection covers a bounded number of charges', () => {
  const channel = channelWith();
  for (const amount of [1n, 2n, 4n]) charge(channel, amount);
  const collection = books.run('openCollection', { maxClaims: 9, maxCharges: 2 });
  expect(collection?.claims[0]).toMatchObject({ claimed: 3n, throughSequence: 2 });
});

test('the charges of skipped channels are collectable again; of finalized ones they are lost', () => {
  const [kept, skipped, gone] = [channelWith(), channelWith(), channelWith()];
  for (const channel of [kept, skipped, gone]) charge(channel, 5n);
  const { id = 0 } = books.run('openCollection', { maxClaims: 9 }) ?? {};
  books.run('upsertChannel', { ...gone, finalized: true });
  books.run('finishCollection', { id, transactionHash: hashA, skipped: [skipped.channelId, gone.channelId] });
  expect(books.run('listPendingBookings', {})[0]?.spends).toMatchObject([{ amount: 5n }]);
  expect(claimsOf(books.run('openCollection', { maxClaims: 9 }))).toEqual(new Map([[skipped.channelId, 5n]]));
});

test('a collection in which all was skipped has nothing to book', () => {
  const channel = channelWith();
  charge(channel, 5n);
  const { id = 0 } = books.run('openCollection', { maxClaims: 9 }) ?? {};
  books.run('finishCollection', { id, transactionHash: hashA, skipped: [channel.channelId] });
  expect(books.run('listPendingBookings', {})).toEqual([]);
  expect(books.run('listOpenCollections', undefined)).toEqual([]);
  expect(books.run('getChannel', channel.channelId)?.settled).toBe(0n);
});

test('finishing and abandoning may be repeated, and exclude each other', () => {
  const channel = channelWith();
  charge(channel, 5n);
  const first = books.run('openCollection', { maxClaims: 9 })?.id ?? 0;
  books.run('abandonCollection', first);
  books.run('abandonCollection', first);
  expect(() => books.run('finishCollection', { id: first, transactionHash: hashA, skipped: [] })).toThrow(
    'is abandoned',
  );

  const second = books.run('openCollection', { maxClaims: 9 })?.id ?? 0;
  expect(second).toBe(first + 1);
  expect(() => books.run('finishCollection', { id: second, transactionHash: hashA, skipped: [hashB] })).toThrow(
    'no claim',
  );
  books.run('finishCollection', { id: second, transactionHash: hashA, skipped: [] });
  books.run('finishCollection', { id: second, transactionHash: hashA, skipped: [] });
  expect(() => books.run('abandonCollection', second)).toThrow('is collected');
  expect(() => books.run('finishCollection', { id: second, transactionHash: hashB, skipped: [] })).toThrow(
    'is collected',
  );
  expect(() => books.run('abandonCollection', 77)).toThrow('no collection 77');
});

test('bookings sum by day, model and provider, beyond 2^63, and are listed until booked', () => {
  const channel = channelWith();
  const agpt10k = 10n ** 22n;
  const day = 20_000;
  charge(channel, agpt10k, { admittedAtMs: day * 86_400_000 });
  charge(channel, agpt10k, { admittedAtMs: day * 86_400_000 + 86_399_999 });
  charge(channel, 3n, { admittedAtMs: day * 86_400_000 + 1, modelAsked: 'other' });
  charge(channel, 4n, { admittedAtMs: (day + 1) * 86_400_000 });
  const { id = 0 } = books.run('openCollection', { maxClaims: 9 }) ?? {};
  books.run('finishCollection', { id, transactionHash: hashA, skipped: [] });
  const provider = 'simulated';
  expect(books.run('listPendingBookings', {})).toEqual([
    {
      collectionId: id,
      refunds: [],
      token: testToken,
      spends: [
        { day, model: 'other', provider, amount: 3n },
        { day, model: 'sim-small', provider, amount: 2n * agpt10k },
        { day: day + 1, model: 'sim-small', provider, amount: 4n },
      ],
      logSize: 4,
    },
  ]);
  books.run('finishBooking', { collectionId: id, batchId: 2n ** 70n, transactionHash: hashB });
  books.run('finishBooking', { collectionId: id, batchId: 2n ** 70n, transactionHash: hashB });
  expect(books.run('listPendingBookings', {})).toEqual([]);
  expect(() => books.run('finishBooking', { collectionId: id, batchId: 1n, transactionHash: hashB })).toThrow(
    'is booked',
  );
  expect(() => books.run('finishBooking', { collectionId: 9, batchId: 1n, transactionHash: hashB })).toThrow(
    'is unknown',
  );
});
