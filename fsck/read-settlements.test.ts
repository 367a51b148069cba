import type { PublicClient } from 'viem';
import { describe, expect, it } from 'vitest';
import type { AuditDeployment } from './audit-chain.ts';
import { readSettledAt } from './read-settlements.ts';

const channelId = `0x${'C4'.repeat(32)}` as const;
const own = channelId.slice(2).toLowerCase();
const other = 'c5'.repeat(32);
const amount = (value: number) => value.toString(16).padStart(24, '0');
const deployment = { contracts: {}, deployedAtBlock: 0 } as unknown as AuditDeployment;

type Events = Record<string, { args: Record<string, unknown>; blockNumber: bigint }[]>;

/** A chain of 25,000 blocks with these events, a second apart. */
function clientOf(events: Events): PublicClient {
  return {
    getBlockNumber: () => Promise.resolve(25_000n),
    getBlock: ({ blockNumber }: { blockNumber: bigint }) => Promise.resolve({ timestamp: blockNumber }),
    getContractEvents: ({ eventName, fromBlock, toBlock }: { eventName: string; fromBlock: bigint; toBlock: bigint }) =>
      Promise.resolve(
        (events[eventName] ?? []).filter((one) => fromBlock <= one.blockNumber && one.blockNumber <= toBlock),
      ),
  } as unknown as PublicClient;
}

const events: Events = {
  ChannelSettled: [{ args: { channelId, settled: 10n }, blockNumber: 5n }],
  BatchSettled: [
    { args: { settlements: `0x${other}${amount(99)}${own}${amount(30)}` }, blockNumber: 12_000n },
    { args: { settlements: `0x${own}${amount(20)}` }, blockNumber: 11_000n },
    { args: { settlements: `0x${own}${amount(40)}${own}${amount(45)}` }, blockNumber: 20_000n },
    { args: { settlements: `0x${other}${amount(99)}` }, blockNumber: 24_000n },
  ],
  BatchClosed: [
    { args: { closures: `0x${other}${amount(1)}${amount(2)}${own}${amount(60)}${amount(3)}` }, blockNumber: 23_000n },
  ],
};

describe('what was taken of a channel', () => {
  it.each([
    [4_999, 0n],
    [5_000, 10n],
    [11_500_000, 20n],
    [12_000_000, 30n],
    [20_000_000, 45n],
    [25_000_000, 60n],
  ])('by %i ms', async (atMs, settled) => {
    expect(await readSettledAt(clientOf(events), { deployment, channelId, atMs })).toBe(settled);
  });

  it('is nothing before the first time', async () => {
    expect(await readSettledAt(clientOf({}), { deployment, channelId, atMs: 1 })).toBe(0n);
  });
});
