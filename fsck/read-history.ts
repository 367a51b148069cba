import { fromHex, zeroBytes32, type Hex } from '../protocol/bytes/hex.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { ChannelHistory } from './channel-history.ts';
import type { PriceJudge } from './price-judge.ts';
import { callIdOf, channelIdOf, mayBeEntry, names, scanEntry, type EntryFacts } from './scan-entry.ts';
import type { ClaimName } from './verification.ts';
import type { LogWalk, WalkedBlock } from './walk-log.ts';

const dayMs = 86_400_000;

/** How many problems are kept in words; all are counted. */
const maxListed = 1_000;

/** One thing that does not hold of one entry. */
export interface HistoryProblem {
  /** The claim that it speaks against. */
  claim: ClaimName;
  /** Log index of the entry; null where it is about none. */
  index: number | null;
  callId: string | null;
  detail: string;
}

/** What a payer's calls in one token add up to, atomic units. */
export interface TokenTotal {
  entries: number;
  amount: bigint;
  refundOwed: bigint;
}

/** A model and a UTC day on which the payer called it. */
export interface ModelDay {
  model: string;
  day: number;
}

/** What the log has of a payer. */
export interface HistoryFacts {
  /** Number of the payer's entries. */
  entryCount: number;
  /** Entries that were paid on another chain, and are verified there. */
  elsewhereCount: number;
  channels: ReadonlyMap<Hex, ChannelHistory>;
  tokens: ReadonlyMap<Hex, TokenTotal>;
  modelDays: ReadonlyMap<string, ModelDay>;
  /** Call ids of the receipts that were found, byte for byte. */
  logged: ReadonlySet<string>;
  /** The first 1,000. */
  problems: readonly HistoryProblem[];
  problemCount: number;
  /** Of all, by the claim that they speak against. */
  problemCounts: ReadonlyMap<ClaimName, number>;
}

/** What a payer's history is read with. */
export interface ReadHistoryOptions {
  /** The log, not walked yet. */
  walk: LogWalk;
  payer: Hex;
  /** The payer's receipts, by call id; each has to be in the log as it is. */
  receipts?: ReadonlyMap<string, SignedReceipt>;
  /** Calls that were paid on another chain. */
  elsewhere?: ReadonlySet<string>;
  /** Channels of the payer that are known beforehand: an entry of theirs has to name it. */
  channels?: readonly Hex[];
  prices: PriceJudge;
  /** What the escrow has paid of a channel, asked once for each; undefined where there is no such channel on this chain. */
  readChannel?: (channelId: Hex) => Promise<{ token: Hex; settled: bigint } | undefined>;
  /** Told after each block. */
  onProgress?: (progress: { start: number; size: number }) => void;
}

/**
 * Reads a whole log once, from its end to its beginning, and checks each of a payer's entries: encoding, sequence, totals, price, and the
 * payer's own receipt. Each leaf is hashed once, and only the payer's entries are decoded; what is held does not grow with the log.
 * @throws what `walk.back` throws
 */
export async function readHistory(options: ReadHistoryOptions): Promise<HistoryFacts> {
  const reader = new HistoryReader(options);
  const { walk, onProgress } = options;
  await reader.openKnown();
  for (let block = await walk.back(); block !== undefined; block = await walk.back()) {
    await reader.read(block);
    onProgress?.({ start: block.start, size: walk.size });
  }
  return reader.finish();
}

/** An entry of the payer's. */
interface OwnEntry {
  index: number;
  entry: Uint8Array;
  facts: EntryFacts;
}

class HistoryReader {
  readonly #options: ReadHistoryOptions;
  readonly #payerBytes: Uint8Array;
  /** Null: on another chain. */
  readonly #channels = new Map<Hex, ChannelHistory | null>();
  readonly #known: ReadonlySet<Hex>;
  readonly #tokens = new Map<Hex, TokenTotal>();
  readonly #modelDays = new Map<string, ModelDay>();
  readonly #logged = new Set<string>();
  readonly #problems: HistoryProblem[] = [];
  readonly #needsCallIds: boolean;
  readonly #problemCounts = new Map<ClaimName, number>();
  #entryCount = 0;
  #elsewhereCount = 0;

  constructor(options: ReadHistoryOptions) {
    this.#options = options;
    this.#payerBytes = fromHex(options.payer, 20);
    this.#known = new Set(options.channels);
    this.#needsCallIds = (options.receipts?.size ?? 0) + (options.elsewhere?.size ?? 0) > 0;
  }

  /** A channel that was paid of counts, whether the log has a receipt of it or none at all. */
  async openKnown(): Promise<void> {
    const { readChannel } = this.#options;
    if (readChannel === undefined) return;
    await Promise.all(
      [...this.#known].map(async (channelId) => {
        const channel = await readChannel(channelId);
        if (channel === undefined) return;
        this.#channels.set(channelId, new ChannelHistory({ channelId, ...channel }));
      }),
    );
  }

  async read(block: WalkedBlock): Promise<void> {
    const own: OwnEntry[] = [];
    for (let position = block.entries.length - 1; position >= 0; position -= 1) {
      const entry = block.entries[position];
      if (entry && this.#isOwn(entry)) this.#scan(own, { entry, index: block.start + position });
    }
    for (const { facts } of own) await this.#openChannel(facts);
    for (const one of own) this.#take(one);
    await this.#options.prices.settle();
  }

  finish(): HistoryFacts {
    const channels = new Map<Hex, ChannelHistory>();
    for (const [channelId, history] of this.#channels) {
      history?.finish();
      if (history && (history.count > 0 || history.settled !== 0n)) channels.set(channelId, history);
    }
    return {
      ...{ entryCount: this.#entryCount, elsewhereCount: this.#elsewhereCount, channels, tokens: this.#tokens },
      ...{ modelDays: this.#modelDays, logged: this.#logged },
      ...{ problems: this.#problems, problemCounts: this.#problemCounts },
      problemCount: [...this.#problemCounts.values()].reduce((sum, count) => sum + count, 0),
    };
  }

  /** By its payer, by its channel, or by a receipt of the wallet: those of free calls name no payer. */
  #isOwn(entry: Uint8Array): boolean {
    if (!mayBeEntry(entry)) return false;
    if (names(entry, 'payer', this.#payerBytes)) return true;
    if (this.#known.size > 0 && this.#known.has(channelIdOf(entry))) return true;
    return this.#options.receipts !== undefined && this.#options.receipts.has(callIdOf(entry));
  }

  #scan(own: OwnEntry[], { entry, index }: { entry: Uint8Array; index: number }): void {
    try {
      own.push({ entry, index, facts: scanEntry(entry) });
    } catch {
      this.#note('codec', { entry, index }, 'it is not the canonical encoding of a receipt');
    }
  }

  async #openChannel({ channelId, token }: EntryFacts): Promise<void> {
    if (channelId === zeroBytes32 || this.#channels.has(channelId)) return;
    const { readChannel } = this.#options;
    const channel = await readChannel?.(channelId);
    const isHere = readChannel === undefined || channel !== undefined;
    const history = isHere ? new ChannelHistory({ channelId, token, ...channel }) : null;
    this.#channels.set(channelId, history);
  }

  #take(own: OwnEntry): void {
    const { entry, facts } = own;
    const { receipts, elsewhere, payer, prices } = this.#options;
    const callId = this.#needsCallIds ? callIdOf(entry) : '';
    const history = this.#channels.get(facts.channelId);
    if (history === null || elsewhere?.has(callId)) {
      this.#elsewhereCount += 1;
      return;
    }
    this.#entryCount += 1;
    const signed = receipts?.get(callId);
    if (signed && Buffer.compare(signed.entry, entry) === 0) this.#logged.add(callId);
    else if (signed)
      this.#note('receipt_logged', own, 'the receipt that the wallet was given differs from the logged entry');
    if (facts.amount > 0n && facts.payer !== payer)
      this.#note('sequence_gap_free', own, `it names ${facts.payer} as payer of a channel that is not that one's`);
    if (history && facts.amount > 0n && facts.token !== history.token)
      this.#note('price', own, `it charges in ${facts.token}, and its channel is in ${history.token}`);
    if (history) {
      const problem = history.add(facts);
      if (problem !== undefined) this.#note('sequence_gap_free', own, problem);
    }
    this.#addToTotals(facts);
    prices.judge(facts, (problem) => this.#note('price', own, problem));
  }

  #addToTotals({ token, amount, refundOwed, modelAsked, admittedAtMs }: EntryFacts): void {
    const total = this.#tokens.get(token) ?? { entries: 0, amount: 0n, refundOwed: 0n };
    total.entries += 1;
    total.amount += amount;
    total.refundOwed += refundOwed;
    this.#tokens.set(token, total);
    if (amount === 0n) return;
    const day = Math.floor(admittedAtMs / dayMs);
    const key = `${day}/${modelAsked}`;
    if (!this.#modelDays.has(key)) this.#modelDays.set(key, { model: modelAsked, day });
  }

  #note(claim: ClaimName, { entry, index }: { entry: Uint8Array; index: number }, detail: string): void {
    this.#problemCounts.set(claim, (this.#problemCounts.get(claim) ?? 0) + 1);
    if (this.#problems.length < maxListed) this.#problems.push({ claim, index, callId: callIdOf(entry), detail });
  }
}
