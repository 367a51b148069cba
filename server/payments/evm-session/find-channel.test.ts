import { beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelOnChain } from '../../ledger/ledger.ts';
import { createChannelFinder, type ChannelFinderOptions } from './find-channel.ts';
import { createChannel, createChannelBook, createWallet } from './session-fixture.ts';

const channel = createChannel(createWallet('1'));
const someId = (index: number): Hex => `0x${index.toString(16).padStart(64, '0')}`;

let nowMs: number;
let asked: string[];
let onChain: Map<Hex, ChannelOnChain>;
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
    expect(await flood(10)).toEqual(['found', 'channel_not_found', 'found', 'overloaded', 'overloaded']);
    nowMs += 500;
    expect(await flood(20)).toEqual(['found', 'overloaded', 'overloaded', 'overloaded', 'overloaded']);
    // A known channel is its payer's to ask about.
    onChain.set(channel.channelId, channel);
    expect(await finder.refresh(channel.channelId)).toBe(true);
  });

  it('asks about so many at one time, and no more', async () => {
    const finder = createFinder({ maxConcurrent: 2 });
    const all = await Promise.allSettled([1, 2, 3].map((index) => finder.find(someId(index))));
    expect(codes(all)).toEqual(['found', 'found', 'overloaded']);
    await expect(finder.find(someId(3))).resolves.toBeUndefined();
  });
});
