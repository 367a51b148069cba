import type { Hex } from '../protocol/bytes/hex.ts';
import { idOfName, type AuditChain } from './audit-chain.ts';
import type { SequenceRange } from './channel-history.ts';
import type { HistoryFacts, TokenTotal } from './read-history.ts';

/** A channel in the log. Amounts are atomic units. */
export interface ChannelSummary {
  channelId: Hex;
  token: Hex;
  entries: number;
  /** Sequence numbers. */
  first: number;
  last: number;
  /** Its newest running total. */
  total: bigint;
  /** What the escrow has paid; null if that is not known. */
  settled: bigint | null;
  /** What no entry was found for. */
  missing: readonly SequenceRange[];
}

/** A booking over a model's budget, on a day on which the payer called the model: its money is withheld from the provider. */
export interface WithheldBooking {
  batchId: bigint;
  token: Hex;
  model: string;
  /** UTC day. */
  day: number;
  /** Of all payers, atomic units. */
  amount: bigint;
  /** Whether a vote has released it since. */
  isReleased: boolean;
}

/** What a payer's history adds up to. */
export interface HistorySummary {
  /** Entries and blocks of the log, and entries of the payer. */
  size: number;
  blockCount: number;
  entryCount: number;
  elsewhereCount: number;
  channels: ChannelSummary[];
  tokens: (TokenTotal & { token: Hex })[];
  /** Null if the chain could not be asked. */
  withheld: WithheldBooking[] | null;
}

/** Sums up what was read. */
export async function summarizeHistory(parts: {
  chain: AuditChain;
  facts: HistoryFacts;
  size: number;
  blockCount: number;
}): Promise<HistorySummary> {
  const { chain, facts, size, blockCount } = parts;
  const { entryCount, elsewhereCount } = facts;
  return {
    ...{ size, blockCount, entryCount, elsewhereCount },
    channels: [...facts.channels.values()].map((history) => ({
      ...{ channelId: history.channelId, token: history.token, entries: history.count },
      ...{ first: history.oldest?.sequence ?? 0, last: history.newest?.sequence ?? 0 },
      ...{ total: history.newest?.runningTotal ?? 0n, settled: history.settled ?? null, missing: history.missing },
    })),
    tokens: [...facts.tokens].map(([token, total]) => ({ token, ...total })),
    withheld: await listWithheld(chain, facts).catch(() => null),
  };
}

async function listWithheld(chain: AuditChain, { modelDays, tokens }: HistoryFacts): Promise<WithheldBooking[]> {
  const byId = new Map([...modelDays.values()].map(({ model, day }) => [`${day}/${idOfName(model)}`, model]));
  const withheld: WithheldBooking[] = [];
  for (const [token, { amount: paid }] of tokens) {
    for (const { batchId, day, model: id, amount, withinBudget } of paid > 0n ? await chain.listBooked(token, 0) : []) {
      const model = byId.get(`${day}/${id}`);
      if (withinBudget || model === undefined) continue;
      const isReleased = (await chain.readBatch(batchId)).overBudgetReleased;
      withheld.push({ batchId, token, model, day, amount, isReleased });
    }
  }
  return withheld;
}
