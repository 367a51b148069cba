import { beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelReading } from '../../chain/create-channel-reader.ts';
import { createChannelFinder, type ChannelFinderOptions } from './find-channel.ts';
import { createChannel, createChannelBook, createWallet } from './session-fixture.ts';

const channel = createChannel(createWallet('1'));
const someId = (index: number): Hex => `0x${index.toString(16).padStart(64, '0')}`;

let nowMs: number;
let asked: string[];
let onChain: Map<Hex, ChannelReading>;
let chainFault: AutoPayError | undefined;
beforeEach(() => {
  nowMs = 1_800_000_000_000;
  asked = [];
  onChain = new Map();
  chainFault = undefined;
});

function createFinder(bounds: Partial<ChannelFinderOptions> = {}) {
  const { ledger } = createChannelBook();
  return createChannelFinder({
    ledger,
    nowMs: () => nowMs,
    reader: {
      async readChannel(channelId) {
        asked.push(channelId);
        if (chainFault) throw chainFault;
        return Promise.resolve(onChain.get(channelId));
      },
      async readOpenTransaction(hash, { channelId }) {
        asked.push(`${hash}:${channelId}`);
        const opened = onChain.get(channelId);
        if (opened) return Promise.resolve(opened);
        throw chainFault ?? new AutoPayError('channel_not_found', 'It opened no such channel.');
      },
      async readTopUpTransaction(hash, { channelId, amount }) {
        asked.push(`${hash}:${channelId}+${amount}`);
        const toppedUp = onChain.get(channelId);
        if (toppedUp) return Promise.resolve(toppedUp);
        throw chainFault ?? new AutoPayError('channel_not_found', 'It added nothing.');
      },
    },
    ...bounds,
  });
}

const codes = (results: PromiseSettledResult<unknown>[]) =>
  results.map((result) => (result.status === 'rejected' ? (result.reason as AutoPayError).code : 'found'));

describe('a channel finder', () => {
  it('asks about the opening by one transaction once, and believes a miss for a while', async () => {
    const finder = createFinder();
    const ask = () => finder.findOpened(someId(7), channel.channelId);
    const flood = await Promise.allSettled(Array.from({ length: 20 }, ask));
    expect(new Set(codes(flood))).toEqual(new Set(['channel_not_found']));
    await expect(ask()).rejects.toMatchObject({ code: 'channel_not_found' });
    expect(asked).toHaveLength(1);
    onChain.set(channel.channelId, channel);
    nowMs += 2_000;
    expect(await ask()).toEqual(channel);
    expect(asked).toHaveLength(2);
  });

  it('tells a payer whose deposit does not count yet from one who has to deposit more', async () => {
    const finder = createFinder();
    const { channelId } = channel;
    const pending = { seenDeposit: 100n, retryAfterSeconds: 15 };
    onChain.set(channelId, { ...channel, deposit: 0n, pending });
    const refusal = { code: 'channel_not_confirmed', facts: { channelId, seenDeposit: '100', retryAfterSeconds: 15 } };
    await expect(finder.find(channelId)).rejects.toMatchObject(refusal);
    await expect(finder.find(channelId)).rejects.toMatchObject(refusal);
    expect(asked).toHaveLength(1);
    nowMs += 2_000;

    // A top-up of a channel that is known.
    onChain.set(channelId, { ...channel, deposit: 50n, pending });
    expect(await finder.find(channelId)).toMatchObject({ deposit: 50n });
    expect(await finder.refresh(channelId, 50n)).toBe(true);
    await expect(finder.refresh(channelId, 100n)).rejects.toMatchObject(refusal);
    expect(await finder.refresh(channelId, 101n)).toBe(false);
    nowMs += 1_000;
    await expect(finder.refresh(channelId, 51n)).rejects.toMatchObject(refusal);
    nowMs += 1_000;
    onChain.set(channelId, { ...channel, deposit: 100n });
    expect(await finder.refresh(channelId, 100n)).toBe(true);
  });

  it('believes no miss when the chain did not answer', async () => {
    const finder = createFinder();
    chainFault = new AutoPayError('chain_unavailable', 'no chain');
    await expect(finder.findOpened(someId(7), channel.channelId)).rejects.toMatchObject({ code: 'chain_unavailable' });
    onChain.set(channel.channelId, channel);
    expect(await finder.findOpened(someId(7), channel.channelId)).toEqual(channel);
  });

  it('looks up a burst of unknown channels, then a few per second, by id and by transaction alike', async () => {
    const finder = createFinder({ lookupBurst: 3, lookupsPerSecond: 2 });
    const flood = async (from: number) =>
      codes(
        await Promise.allSettled([
          finder.find(someId(from)),
          finder.findOpened(someId(1), someId(from + 1)),
          finder.find(someId(from + 2)),
          finder.find(someId(from + 3)),
          finder.findOpened(someId(1), someId(from + 4)),
        ]),
      );
    expect(await flood(10)).toEqual([
      'found',
      'channel_not_found',
      'found',
      'rate_limit_exceeded',
      'rate_limit_exceeded',
    ]);
    nowMs += 500;
    expect(await flood(20)).toEqual([
      'found',
      'rate_limit_exceeded',
      'rate_limit_exceeded',
      'rate_limit_exceeded',
      'rate_limit_exceeded',
    ]);
    // A known channel is its payer's to ask about.
    onChain.set(channel.channelId, channel);
    expect(await finder.refresh(channel.channelId, 0n)).toBe(true);
  });

  it('asks about so many at one time, and no more', async () => {
    const finder = createFinder({ maxConcurrent: 2 });
    const all = await Promise.allSettled([1, 2, 3].map((index) => finder.find(someId(index))));
    expect(codes(all)).toEqual(['found', 'found', 'rate_limit_exceeded']);
    await expect(finder.find(someId(3))).resolves.toBeUndefined();
  });
});
