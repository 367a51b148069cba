import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { someChannel, someCharge, someReserve } from '../ledger-fixtures.ts';
import type { ChannelOnChain, ReserveRequest } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

/** A channel whose payer has signed 500, of which 100 are charged. */
function signedChannel(overrides: Partial<ChannelOnChain> = {}) {
  const { channelId } = books.run('upsertChannel', someChannel({ deposit: 500n, ...overrides }));
  const { callId } = reserve(someReserve({ channelId, cumulativeAmount: 500n }, 100n)).request;
  books.run('charge', someCharge(callId, 100n));
  return books.stores.channels.get(channelId);
}

function reserve(request: ReserveRequest) {
  return { request, decision: books.run('reserve', request) };
}

function byKey(channelId: `0x${string}`, quote: bigint) {
  const { budget } = someReserve({ channelId, cumulativeAmount: 1n }, quote);
  return reserve(someReserve(null, quote, { funds: { kind: 'key', channelId }, keyId: 'k1', budget }));
}

describe('a key', () => {
  test('spends what was signed before, to the unit, and signs nothing', () => {
    const channel = signedChannel();
    const { channelId } = channel;
    expect(byKey(channelId, 401n).decision).toMatchObject({
      refusal: { code: 'insufficient_headroom', requiredCumulative: 501n },
    });
    const { request, decision } = byKey(channelId.toUpperCase().replace('X', 'x') as `0x${string}`, 400n);
    expect(decision).toEqual({ ok: true, channel: { ...channel, reserved: 400n } });
    const { receipt, channel: after } = books.run('charge', someCharge(request.callId, 50n));
    expect(receipt).toMatchObject({ channelId, payer: channel.payer, sequence: 2, runningTotal: 150n, amount: 50n });
    expect(after).toMatchObject({ charged: 150n, reserved: 0n, acceptedCumulative: 500n });
  });

  test('two calls with it use no voucher up, and share the headroom', () => {
    const { channelId } = signedChannel();
    expect(byKey(channelId, 200n).decision.ok).toBe(true);
    expect(byKey(channelId, 200n).decision.ok).toBe(true);
    expect(byKey(channelId, 1n).decision.ok).toBe(false);
  });

  test.each([
    ['channel_closing', { closeRequestedAt: 9 }],
    ['channel_finalized', { finalized: true }],
    ['channel_out_of_books', { settled: 101n }],
  ] as const)('is refused on a channel that is %s', (code, change) => {
    const channel = signedChannel();
    books.run('upsertChannel', { ...channel, ...change });
    expect(byKey(channel.channelId, 1n).decision).toMatchObject({ refusal: { code } });
  });

  test('of an unknown channel, or with a quote in another token, is refused', () => {
    const { channelId } = signedChannel();
    expect(byKey(someChannel().channelId, 1n).decision).toMatchObject({ refusal: { code: 'channel_not_found' } });
    const { request } = byKey(channelId, 1n);
    const other = { ...request, callId: someReserve(null, 0n).callId, token: `0x${'99'.repeat(20)}` as const };
    expect(reserve(other).decision).toMatchObject({ refusal: { code: 'channel_wrong_token' } });
  });
});
