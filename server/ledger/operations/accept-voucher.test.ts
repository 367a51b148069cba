import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { randomBytes } from '../../../protocol/bytes/random-bytes.ts';
import { someChannel, someCharge, someReserve } from '../ledger-fixtures.ts';
import type { ChannelOnChain, VerifiedVoucher } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

function channelWith(overrides: Partial<ChannelOnChain> = {}): ChannelOnChain {
  const channel = someChannel(overrides);
  books.run('upsertChannel', channel);
  return channel;
}

const voucherOf = ({ channelId }: ChannelOnChain, cumulativeAmount: bigint): VerifiedVoucher => ({
  ...{ channelId, cumulativeAmount, signature: toHex(randomBytes(65)) },
});

describe('a voucher without a call', () => {
  it('raises what is signed, and a lower one changes nothing', () => {
    const channel = channelWith();
    const high = voucherOf(channel, 700n);
    const accepted = { acceptedCumulative: 700n, acceptedSignature: high.signature, charged: 0n, reserved: 0n };
    expect(books.run('acceptVoucher', high)).toMatchObject(accepted);
    for (const cumulative of [700n, 699n, 0n]) {
      expect(books.run('acceptVoucher', voucherOf(channel, cumulative))).toMatchObject(accepted);
    }
    expect(books.run('getChannel', channel.channelId)).toMatchObject(accepted);
  });

  it('pays for the call that brings it again, once', () => {
    const channel = channelWith();
    const voucher = voucherOf(channel, 700n);
    books.run('acceptVoucher', voucher);
    expect(books.run('reserve', someReserve(voucher, 700n))).toMatchObject({ ok: true });
    const again = books.run('reserve', someReserve(voucher, 0n));
    expect(again).toMatchObject({ ok: false, refusal: { code: 'voucher_already_used' } });
  });

  it('pays for no call once a collection has shown its signature to everybody', () => {
    const channel = channelWith();
    const { channelId } = channel;
    const voucher = voucherOf(channel, 700n);
    books.run('acceptVoucher', voucher);
    const byKey = someReserve(voucher, 100n, { funds: { kind: 'key', channelId } });
    books.run('reserve', byKey);
    books.run('charge', someCharge(byKey.callId, 100n));
    expect(books.run('openCollection', { maxClaims: 1 })?.claims).toMatchObject([{ maximum: 700n }]);
    const stolen = books.run('reserve', someReserve(voucher, 1n));
    expect(stolen).toMatchObject({ ok: false, refusal: { code: 'voucher_already_used', requiredCumulative: 701n } });
    // What nobody has seen may still come late, and another key's call is not in the way.
    expect(books.run('reserve', someReserve(voucherOf(channel, 699n), 1n))).toMatchObject({ ok: true });
    expect(books.run('reserve', { ...byKey, callId: someReserve(null, 0n).callId })).toMatchObject({ ok: true });
  });

  it.each<[string, Partial<ChannelOnChain>]>([
    ['amount_exceeds_deposit', { deposit: 699n }],
    ['channel_finalized', { finalized: true }],
    ['channel_closing', { closeRequestedAt: 1 }],
    ['channel_out_of_books', { settled: 1n }],
  ])('is refused with %s', (code, overrides) => {
    const channel = channelWith(overrides);
    const refused = expect.objectContaining({ code, facts: expect.objectContaining({ channelId: channel.channelId }) });
    expect(() => books.run('acceptVoucher', voucherOf(channel, 700n))).toThrow(refused);
    expect(books.run('getChannel', channel.channelId)?.acceptedCumulative).toBe(0n);
  });

  it('needs a channel', () => {
    const refused = expect.objectContaining({ code: 'channel_not_found' });
    expect(() => books.run('acceptVoucher', voucherOf(someChannel(), 1n))).toThrow(refused);
  });
});
