import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { maxAmount } from '../amount-blob.ts';
import { someChannel, someCharge, someReserve } from '../ledger-fixtures.ts';
import type { ReserveRequest } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

function reserve(channelId: `0x${string}`, cumulativeAmount: bigint, quote: bigint) {
  const request = someReserve({ channelId, cumulativeAmount }, quote);
  return { request, decision: books.run('reserve', request) };
}

function signatureOf({ funds }: ReserveRequest) {
  return funds?.kind === 'voucher' ? funds.voucher.signature : undefined;
}

function codeOf(decision: { ok: boolean; refusal?: { code: string } }): string {
  return decision.ok ? 'ok' : (decision.refusal?.code ?? '');
}

test('holds the quote and keeps the voucher', () => {
  const channel = books.run('upsertChannel', someChannel());
  const { request, decision } = reserve(channel.channelId, 500n, 400n);
  expect(decision).toEqual({
    ok: true,
    channel: { ...channel, acceptedCumulative: 500n, acceptedSignature: signatureOf(request), reserved: 400n },
  });
  expect(books.run('getChannel', channel.channelId)).toEqual(decision.ok && decision.channel);
});

test('headroom is voucher − charged − reserved, to the unit', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const first = reserve(channelId, 1000n, 600n);
  books.run('charge', someCharge(first.request.callId, 250n));
  expect(codeOf(reserve(channelId, 1001n, 300n).decision)).toBe('ok');
  const { decision } = reserve(channelId, 1002n, 453n);
  expect(decision).toMatchObject({ ok: false, refusal: { code: 'insufficient_headroom', requiredCumulative: 1003n } });
  expect(codeOf(reserve(channelId, 1002n, 452n).decision)).toBe('ok');
});

test('a lower voucher that was not seen admits, and does not replace the highest', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const high = reserve(channelId, 900n, 100n);
  const { decision } = reserve(channelId, 300n, 800n);
  expect(decision).toMatchObject({ ok: true, channel: { acceptedCumulative: 900n, reserved: 900n } });
  expect(books.run('getChannel', channelId)?.acceptedSignature).toBe(signatureOf(high.request));
});

test('one voucher admits one call, whatever became of the call', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const first = reserve(channelId, 500n, 100n);
  const again = reserve(channelId, 500n, 100n);
  expect(again.decision).toMatchObject({
    ok: false,
    refusal: { code: 'voucher_already_used', usedByCallId: first.request.callId, requiredCumulative: 501n },
  });
  books.run('release', { callId: first.request.callId, reason: 'upstream_error', attempts: [] });
  expect(codeOf(reserve(channelId, 500n, 100n).decision)).toBe('voucher_already_used');
});

test('a voucher that was refused for its headroom is not used up', () => {
  const { channelId } = books.run('upsertChannel', someChannel());
  const holder = reserve(channelId, 500n, 500n);
  const before = books.run('getChannel', channelId);
  expect(codeOf(reserve(channelId, 600n, 200n).decision)).toBe('insufficient_headroom');
  expect(books.run('getChannel', channelId)).toEqual(before);
  books.run('release', { callId: holder.request.callId, reason: 'client_gone', attempts: [] });
  expect(codeOf(reserve(channelId, 600n, 200n).decision)).toBe('ok');
});

describe('refuses', () => {
  test.each([
    ['channel_closing', { closeRequestedAt: 1_790_000_000 }, 100n],
    ['channel_finalized', { finalized: true }, 100n],
    ['channel_finalized', { finalized: true, closeRequestedAt: 1_790_000_000 }, 100n],
    ['channel_out_of_books', { settled: 1n }, 100n],
    ['amount_exceeds_deposit', { deposit: 99n }, 100n],
    ['amount_exceeds_deposit', {}, maxAmount + 1n],
    ['insufficient_headroom', {}, 0n],
  ] as const)('%s: %o, voucher of %s', (code, overrides, cumulativeAmount) => {
    const channel = books.run('upsertChannel', someChannel(overrides));
    const { decision } = reserve(channel.channelId, cumulativeAmount, 10n);
    expect(decision).toEqual({ ok: false, refusal: { code, channel, requiredCumulative: 10n } });
    expect(books.run('getChannel', channel.channelId)).toEqual(channel);
    expect(books.db.prepare('SELECT count(*) AS n FROM calls').get()).toEqual({ n: 0 });
  });

  test('a channel of another token than the quote is in; letter case is no other token', () => {
    const token = `0x${'ab'.repeat(20)}` as const;
    const channel = books.run('upsertChannel', someChannel({ token }));
    const voucher = { channelId: channel.channelId, cumulativeAmount: 100n };
    expect(books.run('reserve', someReserve(voucher, 10n))).toEqual({
      ok: false,
      refusal: { code: 'channel_wrong_token', channel, requiredCumulative: 10n },
    });
    expect(books.run('getChannel', channel.channelId)).toEqual(channel);
    expect(codeOf(books.run('reserve', someReserve(voucher, 10n, { token: `0x${'AB'.repeat(20)}` })))).toBe('ok');
  });

  test('a channel that is not known', () => {
    const { decision } = reserve(someChannel().channelId, 100n, 10n);
    expect(decision).toEqual({
      ok: false,
      refusal: { code: 'channel_not_found', channel: null, requiredCumulative: 10n },
    });
  });

  test('headroom beyond a deposit that has shrunk', () => {
    const channel = someChannel({ deposit: 1000n });
    books.run('upsertChannel', channel);
    reserve(channel.channelId, 1000n, 0n);
    books.run('upsertChannel', { ...channel, deposit: 400n });
    expect(codeOf(reserve(channel.channelId, 399n, 401n).decision)).toBe('insufficient_headroom');
    expect(codeOf(reserve(channel.channelId, 398n, 400n).decision)).toBe('ok');
  });
});

test('the whole range of amounts can be held', () => {
  const { channelId } = books.run('upsertChannel', someChannel({ deposit: maxAmount }));
  expect(reserve(channelId, maxAmount, maxAmount).decision).toMatchObject({
    ok: true,
    channel: { reserved: maxAmount },
  });
  expect(reserve(channelId, 1n, maxAmount).decision).toMatchObject({
    ok: false,
    refusal: { code: 'insufficient_headroom', requiredCumulative: 2n * maxAmount },
  });
});

test('a free route holds nothing, and only nothing', () => {
  expect(books.run('reserve', someReserve(null, 0n))).toEqual({ ok: true, channel: null });
  expect(() => books.run('reserve', someReserve(null, 1n))).toThrow('has the quote 0');
});

test('a call id is reserved once; a quote is an amount', () => {
  const request = someReserve(null, 0n);
  books.run('reserve', request);
  expect(() => books.run('reserve', request)).toThrow('has a reservation already');
  expect(() => books.run('reserve', someReserve(null, -1n))).toThrow('A quote must lie in');
  expect(() => books.run('reserve', someReserve(null, maxAmount + 1n))).toThrow('A quote must lie in');
});
