import { describe, expect, it } from 'vitest';
import { fakeDeployment, type FakeAnswers } from '../testing/fake-deployment.ts';
import { readSettledAt } from './read-settled-at.ts';

const channelId = `0x${'C4'.repeat(32)}` as const;
const own = channelId.slice(2).toLowerCase();
const other = 'c5'.repeat(32);

/** A chain with these events, whose blocks are ten seconds apart. */
function chainOf(events: FakeAnswers) {
  const deployment = fakeDeployment(events);
  const getBlock = ({ blockNumber }: { blockNumber: bigint }) => Promise.resolve({ timestamp: blockNumber * 10n });
  return Object.assign(deployment, { reader: Object.assign(deployment.reader, { getBlock }) });
}

describe('when a channel was settled last', () => {
  it('is unknown before the first time, and other channels do not count', async () => {
    const settled = [{ args: { channelId: `0x${other}` }, blockNumber: 9n }];
    const batches = [{ args: { settlements: `0x${other}${'0'.repeat(24)}` }, blockNumber: 9n }];
    expect(await readSettledAt(chainOf({ ChannelSettled: settled, BatchSettled: batches }), channelId)).toBeUndefined();
  });

  it.each([
    ['alone', { ChannelSettled: [{ args: { channelId }, blockNumber: 3n }] }],
    ['by a close', { ChannelClosed: [{ args: { channelId: channelId.toLowerCase() }, blockNumber: 3n }] }],
    [
      'among others',
      {
        BatchSettled: [
          { args: { settlements: `0x${other}${'0'.repeat(24)}${own}${'1'.repeat(24)}` }, blockNumber: 3n },
        ],
      },
    ],
    ['by a close among others', { BatchClosed: [{ args: { closures: `0x${own}` }, blockNumber: 3n }] }],
  ])('is the time of its block: %s', async (_, events) => {
    expect(await readSettledAt(chainOf(events), channelId)).toBe(30);
  });

  it('is the newest of several', async () => {
    const events = [7n, 5n].map((blockNumber) => ({ args: { channelId }, blockNumber }));
    const closed = [{ args: { closures: `0x${own}` }, blockNumber: 6n }];
    expect(await readSettledAt(chainOf({ ChannelSettled: events, BatchClosed: closed }), channelId)).toBe(70);
  });
});
