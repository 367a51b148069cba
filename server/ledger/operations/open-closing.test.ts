import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomBytes } from '../../../protocol/bytes/random-bytes.ts';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import type { Collection } from '../background-ledger.ts';
import { someChannel, someCharge, someReserve, testToken } from '../ledger-fixtures.ts';
import type { ChannelOnChain, VerifiedVoucher } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const nowMs = 1_800_000_000_000;
const hash: Hex = `0x${'ab'.repeat(32)}`;

function channelWith(overrides: Partial<ChannelOnChain> = {}): ChannelOnChain {
  const channel = someChannel(overrides);
  books.run('upsertChannel', channel);
  return channel;
}

const voucherOf = ({ channelId }: ChannelOnChain, cumulativeAmount: bigint): VerifiedVoucher => ({
  ...{ channelId, cumulativeAmount, signature: toHex(randomBytes(65)) },
});

/** Charges one call; its voucher is 10 above the charge. */
function charge(channel: ChannelOnChain, amount: bigint): VerifiedVoucher {
  const { acceptedCumulative = 0n } = books.run('getChannel', channel.channelId) ?? {};
  const voucher = voucherOf(channel, acceptedCumulative + amount + 10n);
  const request = someReserve(voucher, amount);
  request.funds = { kind: 'voucher', voucher };
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, amount));
  return voucher;
}

function close(channel: ChannelOnChain, voucher: VerifiedVoucher | null): Collection | 'collecting' {
  return books.run('openClosing', { channelId: channel.channelId, voucher, nowMs });
}

function closing(channel: ChannelOnChain, voucher: VerifiedVoucher | null): Collection {
  const collection = close(channel, voucher);
  if (collection === 'collecting') throw new Error('an ordinary collection is open');
  return collection;
}

function finish({ id }: Collection, channel: ChannelOnChain): void {
  books.run('finishCollection', { id, transactionHash: hash, skipped: [], closed: [channel.channelId] });
}

describe('the close of a channel', () => {
  it('takes what was charged under the final voucher, and nothing is sold on it any more', () => {
    const channel = channelWith();
    charge(channel, 100n);
    const final = voucherOf(channel, 500n);
    const collection = closing(channel, final);
    expect(collection).toMatchObject({
      ...{ token: testToken, closes: true },
      claims: [{ maximum: 500n, signature: final.signature, claimed: 100n, throughSequence: 1 }],
    });
    expect(books.run('listOpenCollections', undefined)).toEqual([collection]);
    const refused = { ok: false, refusal: { code: 'channel_closing' } };
    expect(books.run('reserve', someReserve(voucherOf(channel, 600n), 1n))).toMatchObject(refused);
    finish(collection, channel);
    expect(books.run('getChannel', channel.channelId)).toMatchObject({ settled: 100n, finalized: true });
    expect(books.run('listPendingBookings', {})).toMatchObject([{ spends: [{ amount: 100n }] }]);
    expect(books.run('findClosing', channel.channelId)).toBe(hash);
  });

  it('goes by the highest voucher if the final one is lower, and by none where nothing was signed', () => {
    const channel = channelWith();
    const highest = charge(channel, 100n);
    expect(closing(channel, voucherOf(channel, 99n)).claims).toMatchObject([
      { maximum: highest.cumulativeAmount, signature: highest.signature, claimed: 100n },
    ]);
    const fresh = channelWith();
    expect(closing(fresh, null).claims).toMatchObject([
      { maximum: 0n, signature: `0x${'00'.repeat(64)}1b`, claimed: 0n, throughSequence: 0 },
    ]);
  });

  it('of a channel that owes nothing leaves nothing to book', () => {
    const channel = channelWith();
    const collection = closing(channel, voucherOf(channel, 0n));
    finish(collection, channel);
    finish(collection, channel);
    expect(books.run('listPendingBookings', {})).toEqual([]);
    expect(books.run('getChannel', channel.channelId)).toMatchObject({ settled: 0n, finalized: true });
  });

  it('asked for again is the same one, and over once it is closed', () => {
    const channel = channelWith();
    charge(channel, 100n);
    const voucher = voucherOf(channel, 200n);
    const collection = closing(channel, voucher);
    expect(close(channel, voucher)).toEqual(collection);
    expect(books.run('openCollection', { maxClaims: 10 })).toBeUndefined();
    finish(collection, channel);
    expect(() => close(channel, voucher)).toThrow(expect.objectContaining({ code: 'channel_finalized' }));
  });

  it('waits for calls, and for an ordinary collection', () => {
    const channel = channelWith();
    const request = someReserve(voucherOf(channel, 300n), 200n);
    books.run('reserve', request);
    const inUse = expect.objectContaining({
      code: 'channel_in_use',
      facts: expect.objectContaining({ reserved: '200' }),
    });
    expect(() => close(channel, voucherOf(channel, 300n))).toThrow(inUse);
    books.run('charge', someCharge(request.callId, 150n));
    const ordinary = books.run('openCollection', { maxClaims: 10 });
    expect(close(channel, voucherOf(channel, 301n))).toBe('collecting');
    books.run('finishCollection', { id: ordinary?.id ?? 0, transactionHash: hash, skipped: [] });
    expect(closing(channel, voucherOf(channel, 301n)).claims).toMatchObject([{ claimed: 150n }]);
  });

  it('is not undone by a look at the chain while it is under way, but by one after it failed', () => {
    const channel = channelWith();
    charge(channel, 100n);
    const collection = closing(channel, null);
    const look = () => books.run('upsertChannel', { ...channel, readAtBlock: 9 });
    expect(look().closeRequestedAt).toBe(nowMs / 1_000);
    books.run('abandonCollection', collection.id);
    expect(look()).toMatchObject({ closeRequestedAt: 0, finalized: false });
    expect(books.run('openCollection', { maxClaims: 10 })?.claims).toMatchObject([{ claimed: 100n }]);
  });

  it('that could not pay the payer back has taken what was owed, and the channel stays open', () => {
    const channel = channelWith();
    charge(channel, 100n);
    const { id } = closing(channel, null);
    books.run('finishCollection', { id, transactionHash: hash, skipped: [] });
    expect(books.run('upsertChannel', { ...channel, settled: 100n, readAtBlock: 9 })).toMatchObject({
      ...{ settled: 100n, finalized: false, closeRequestedAt: 0 },
    });
    expect(books.run('listPendingBookings', {})).toMatchObject([{ spends: [{ amount: 100n }] }]);
  });

  it('needs a voucher that the chain has not shown to everybody', () => {
    const channel = channelWith();
    const shown = charge(channel, 100n);
    const ordinary = books.run('openCollection', { maxClaims: 10 });
    books.run('finishCollection', { id: ordinary?.id ?? 0, transactionHash: hash, skipped: [] });
    const used = expect.objectContaining({
      ...{ code: 'voucher_already_used', facts: expect.objectContaining({ requiredCumulative: '111' }) },
    });
    expect(() => close(channel, shown)).toThrow(used);
    expect(books.run('getChannel', channel.channelId)?.closeRequestedAt).toBe(0);
    // A lower one is as good, as long as nobody has seen it; and a login needs none.
    expect(closing(channel, voucherOf(channel, 109n)).claims).toMatchObject([{ maximum: 110n, claimed: 100n }]);
  });

  it('beyond the deposit, or of an unknown channel, is refused', () => {
    const channel = channelWith();
    const beyond = expect.objectContaining({ code: 'amount_exceeds_deposit' });
    expect(() => close(channel, voucherOf(channel, 1_000_001n))).toThrow(beyond);
    const unknown = expect.objectContaining({ code: 'channel_not_found' });
    expect(() => close(someChannel(), null)).toThrow(unknown);
    expect(books.run('getChannel', channel.channelId)?.closeRequestedAt).toBe(0);
  });
});
