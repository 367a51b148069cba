import { expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { AuditChain } from './audit-chain.ts';
import { ChannelHistory } from './channel-history.ts';
import type { HistoryFacts } from './read-history.ts';
import { ClaimList } from './verification.ts';
import { checkHistoryChannels } from './verify-history-facts.ts';

const channelId: Hex = `0x${'01'.repeat(32)}`;
const token: Hex = `0x${'cc'.repeat(20)}`;

/** What is said of a channel that was paid of 70, `due` of it a while ago, and of which the log has nothing. */
async function judge(due: bigint): Promise<string[]> {
  const history = new ChannelHistory({ channelId, token, settled: 70n });
  history.finish();
  const facts: HistoryFacts = {
    ...{ entryCount: 0, elsewhereCount: 0, tokens: new Map(), modelDays: new Map(), logged: new Set<string>() },
    ...{ channels: new Map([[channelId, history]]), problems: [], problemCount: 0, problemCounts: new Map() },
  };
  const chain = {
    maxMergeDelayMs: () => Promise.resolve(60_000),
    settledBefore: () => Promise.resolve(due),
  } as unknown as AuditChain;
  const claims = new ClaimList();
  await checkHistoryChannels(claims, { chain, facts, receipts: new Map() });
  return claims.all.map(({ name, ok, detail }) => `${name} ${ok}: ${detail}`);
}

it('accuses a relay that took of a channel and logged none of its calls, once they are due', async () => {
  expect((await judge(70n))[1]).toMatch(/^total_collected false: channel 0x01.* 70 was collected beyond them/);
  expect((await judge(0n))[1]).toMatch(/^total_collected null: not checked: channel 0x01/);
});
