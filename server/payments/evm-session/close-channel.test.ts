import { beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CollectedResult } from '../../collection/run-collection.ts';
import type { Collection } from '../../ledger/background-ledger.ts';
import type { ChannelOnChain, ChannelState } from '../../ledger/ledger.ts';
import { createChannelCloser } from './close-channel.ts';
import { createChannel, createWallet, usdc } from './session-fixture.ts';
import { createSponsorLimits } from './sponsor-limits.ts';

const payer = createWallet('1');
const hash: Hex = `0x${'77'.repeat(32)}`;
const books = { acceptedCumulative: 90n, acceptedSignature: null, charged: 80n, reserved: 0n, sequence: 1 };
const channel: ChannelState = { ...createChannel(payer), ...books };
const { channelId } = channel;
const voucher = { channelId, cumulativeAmount: 90n, signature: payer.sign(channelId, 90n) };
const collection: Collection = { id: 7, token: usdc, closes: true, claims: [] };
const closedResult: CollectedResult = {
  ...{ collectionId: 7, transactionHash: hash, amount: '80', channels: 1, skipped: [], closed: [channelId] },
};

let openings: (Collection | 'collecting' | AutoPayError)[];
let settle: () => Promise<CollectedResult | undefined>;
let collected: number;
let upserts: ChannelOnChain[];
beforeEach(() => {
  openings = [collection];
  settle = () => Promise.resolve(closedResult);
  collected = 0;
  upserts = [];
});

function createCloser(options: { perPayerPerHour?: number; timeoutMs?: number } = {}) {
  const { perPayerPerHour = 100, timeoutMs = 1_000 } = options;
  const nowMs = () => 1_800_000_000_000;
  return createChannelCloser({
    ledger: {
      getChannel: () => Promise.resolve({ ...channel, finalized: true }),
      upsertChannel: (read) => {
        upserts.push(read);
        return Promise.resolve(channel);
      },
      openClosing: () => {
        const opening = openings.length > 1 ? openings.shift() : openings[0];
        return opening instanceof AutoPayError ? Promise.reject(opening) : Promise.resolve(opening ?? 'collecting');
      },
      findClosing: () => Promise.resolve(hash),
    },
    collect: () => Promise.resolve((collected += 1)),
    settle: () => settle(),
    reader: { readChannel: () => Promise.resolve(createChannel(payer, { readAtBlock: 9 })) },
    limits: createSponsorLimits({ perPayerPerHour, perHour: 1_000, nowMs }),
    ...{ timeoutMs, nowMs },
  });
}

describe('closing a channel', () => {
  it('tells the transaction, and the channel as it is then', async () => {
    const closed = await createCloser().close(channel, voucher);
    expect(closed).toMatchObject({ transactionHash: hash, channel: { channelId, finalized: true } });
    expect([collected, upserts]).toEqual([0, []]);
  });

  it('is told again without another transaction', async () => {
    const closer = createCloser({ perPayerPerHour: 1 });
    openings = [new AutoPayError('channel_finalized', 'closed')];
    for (let time = 0; time < 3; time += 1) {
      expect(await closer.close({ ...channel, finalized: true }, voucher)).toMatchObject({ transactionHash: hash });
    }
  });

  it('lets an ordinary collection end first', async () => {
    openings = ['collecting', collection];
    expect(await createCloser().close(channel, voucher)).toMatchObject({ transactionHash: hash });
    expect(collected).toBe(1);
    openings = ['collecting'];
    await expect(createCloser().close(channel, voucher)).rejects.toMatchObject({ code: 'channel_in_use' });
  });

  it.each<[string, () => Promise<CollectedResult | undefined>, string]>([
    ['reverts', () => Promise.reject(new AutoPayError('transaction_reverted', 'no')), 'transaction_reverted'],
    [
      'is skipped',
      () => Promise.resolve({ ...closedResult, skipped: [channelId], closed: [] }),
      'transaction_reverted',
    ],
    ['does not pay back', () => Promise.resolve({ ...closedResult, closed: [] }), 'transaction_reverted'],
    ['comes to nothing', () => Promise.resolve(undefined), 'transaction_reverted'],
  ])('that %s is told so, and the channel is read again', async (_, outcome, code) => {
    settle = outcome;
    await expect(createCloser().close(channel, voucher)).rejects.toMatchObject({ code });
    expect(upserts).toMatchObject([{ channelId, readAtBlock: 9 }]);
  });

  it('that takes too long may be asked for again', async () => {
    settle = () => new Promise(() => undefined);
    const late = createCloser({ timeoutMs: 5 }).close(channel, voucher);
    await expect(late).rejects.toMatchObject({ code: 'transaction_pending' });
  });

  it('is bounded for each payer; what is refused for calls under way does not count', async () => {
    const closer = createCloser({ perPayerPerHour: 1 });
    openings = [new AutoPayError('channel_in_use', 'calls')];
    const busy = { ...channel, reserved: 5n };
    await expect(closer.close(busy, voucher)).rejects.toMatchObject({ code: 'channel_in_use' });
    openings = [collection];
    await closer.close(channel, voucher);
    await expect(closer.close(channel, voucher)).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  });
});
