import { expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { idOfName, type AuditChain, type BookedPart } from './audit-chain.ts';
import { ChannelHistory } from './channel-history.ts';
import type { HistoryFacts } from './read-history.ts';
import { summarizeHistory } from './summarize-history.ts';

const token: Hex = `0x${'cc'.repeat(20)}`;
const channelId: Hex = `0x${'01'.repeat(32)}`;

function makeFacts(): HistoryFacts {
  const history = new ChannelHistory({ channelId, token, settled: 10n });
  history.add({ sequence: 3, runningTotal: 30n, amount: 10n });
  history.add({ sequence: 1, runningTotal: 10n, amount: 10n });
  return {
    ...{ entryCount: 2, elsewhereCount: 1, logged: new Set(), problems: [], problemCount: 0, problemCounts: new Map() },
    channels: new Map([[channelId, history]]),
    tokens: new Map([[token, { entries: 2, amount: 20n, refundOwed: 0n }]]),
    modelDays: new Map([['5/m', { model: 'm', day: 5 }]]),
  };
}

const part = (changes: Partial<BookedPart>): BookedPart => ({
  ...{
    batchId: 1n,
    logSize: 9,
    day: 5,
    model: idOfName('m'),
    provider: idOfName('p'),
    amount: 7n,
    withinBudget: false,
  },
  ...changes,
});

it('sums up channels and tokens, and shows what is withheld of the models and days of the payer', async () => {
  const booked = [
    part({}),
    part({ batchId: 2n }),
    part({ withinBudget: true }),
    part({ day: 6 }),
    part({ model: idOfName('n') }),
  ];
  const chain = {
    listBooked: () => Promise.resolve(booked),
    readBatch: (batchId: bigint) => Promise.resolve({ released: false, overBudgetReleased: batchId === 2n }),
  } as unknown as AuditChain;
  const summary = await summarizeHistory({ chain, facts: makeFacts(), size: 9, blockCount: 2 });
  expect(summary).toEqual({
    ...{ size: 9, blockCount: 2, entryCount: 2, elsewhereCount: 1 },
    channels: [
      { channelId, token, entries: 2, first: 1, last: 3, total: 30n, settled: 10n, missing: [{ first: 2, last: 2 }] },
    ],
    tokens: [{ token, entries: 2, amount: 20n, refundOwed: 0n }],
    withheld: [
      { batchId: 1n, token, model: 'm', day: 5, amount: 7n, isReleased: false },
      { batchId: 2n, token, model: 'm', day: 5, amount: 7n, isReleased: true },
    ],
  });
  const silent = { listBooked: () => Promise.reject(new Error('no answer')) } as unknown as AuditChain;
  expect((await summarizeHistory({ chain: silent, facts: makeFacts(), size: 9, blockCount: 2 })).withheld).toBeNull();
});
