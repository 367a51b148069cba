import type { Hex } from '../../protocol/bytes/hex.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import type { ChannelState, Ledger } from '../ledger/ledger.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { ChannelReader } from './create-channel-reader.ts';
import { createBlockFollower, type BlockFollowerOptions } from './follow-blocks.ts';
import type { JobLog } from './job-log.ts';
import { listClosures } from './list-closures.ts';

/** What watching works with. */
export interface ChannelWatcherOptions extends Pick<
  BlockFollowerOptions,
  'deployedAtBlock' | 'reorgMarginBlocks' | 'maxBlocksPerQuery'
> {
  client: ChainClient;
  ledger: Pick<Ledger, 'upsertChannel' | 'getChannel'> & Pick<BackgroundLedger, 'getState' | 'setState'>;
  reader: ChannelReader;
  paymentChannels: Hex;
  /** The payee whose channels matter: AutoPayLLM. */
  payee: Hex;
  /** The tokens that calls are paid in: channels that are opened in another one are none to serve. */
  tokens: readonly Hex[];
  /** Called when the payer of one of our channels wants its money back: what it owes MUST be collected within the grace period. */
  onCloseRequested: (channelId: Hex) => void;
  log: JobLog;
}

/** Keeps the ledger's channels as the escrow has them. */
export interface ChannelWatcher {
  /** Reads the blocks since the last call. It MUST NOT run twice at the same time. */
  poll(): Promise<void>;
}

/** A watcher that continues at the block where an earlier process stopped. */
export function createChannelWatcher(options: ChannelWatcherOptions): ChannelWatcher {
  /** Events within the margin that are dealt with: block hash and log index, with their channels. */
  let seen = new Map<string, SeenEvent>();
  /** Channels with a deposit that does not count yet. */
  const pending = new Set<Hex>();

  async function readRange({ from, to, settledTo }: { from: number; to: number; settledTo: number }): Promise<void> {
    const events = await listEvents(options, { from, to });
    const current = new Map(events.map((event) => [event.key, event]));
    const changed = new Set<Hex>();
    for (const [key, { channelId }] of current) if (!seen.has(key)) changed.add(channelId);
    // What a reorganisation undid changed its channel as well.
    for (const [key, { channelId, block }] of seen) if (block >= from && !current.has(key)) changed.add(channelId);
    const postponed = new Set<Hex>();
    for (const channelId of changed) {
      if (!(await refreshChannel(options, { channelId, events, to, pending }))) postponed.add(channelId);
    }
    const undone = [...seen].filter(([key, { channelId }]) => postponed.has(channelId) && !current.has(key));
    const done = [...current].filter(([, { block, channelId }]) => block > settledTo && !postponed.has(channelId));
    seen = new Map([...undone, ...done]);
  }

  const follower = createBlockFollower({ ...options, stateKey: 'watch_channels.next_block', readRange });
  return {
    async poll() {
      const waiting = [...pending].slice(0, maxPendingPerPoll);
      const { newestBlock: to } = await follower.poll();
      // To the end of the line: none keeps others waiting.
      for (const channelId of waiting) {
        if (!pending.delete(channelId)) continue;
        pending.add(channelId);
        await refreshChannel(options, { channelId, events: [], to, pending });
      }
    },
  };
}

/** So many deposits that do not count yet are looked at again by one poll. A call on one of the others looks for itself. */
const maxPendingPerPoll = 50;

interface SeenEvent {
  key: string;
  block: number;
  channelId: Hex;
  /** Whether the channel was opened for our payee, in one of our tokens, by this event. */
  opensOurs: boolean;
  requestsClose: boolean;
}

/** The events that change channels, in their order. */
async function listEvents(options: ChannelWatcherOptions, range: { from: number; to: number }): Promise<SeenEvent[]> {
  const { client, paymentChannels, payee, tokens } = options;
  const isSame = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  const events = await callChain(`the events of blocks ${range.from} to ${range.to}`, () =>
    client.getContractEvents({
      address: paymentChannels,
      abi: paymentChannelsAbi,
      fromBlock: BigInt(range.from),
      toBlock: BigInt(range.to),
      strict: true,
    }),
  );
  return events.flatMap((event): SeenEvent[] => {
    const base = { block: Number(event.blockNumber), opensOurs: false, requestsClose: false };
    const keyOf = (part: number | string) => `${event.blockHash}:${event.logIndex}:${part}`;
    switch (event.eventName) {
      case 'BatchSettled':
        if (!isSame(event.args.payee, payee)) return [];
        // 44 bytes per claim: channelId 32, settled 12 (IPaymentChannels, event BatchSettled).
        return (event.args.settlements.slice(2).match(/.{88}/g) ?? []).map((settlement, part) => {
          return { ...base, key: keyOf(part), channelId: `0x${settlement.slice(0, 64)}` };
        });
      case 'BatchClosed':
        if (!isSame(event.args.payee, payee)) return [];
        return listClosures(event.args.closures).map(({ channelId }, part) => ({
          ...base,
          key: keyOf(part),
          channelId,
        }));
      case 'ChannelOpened': {
        const { channelId } = event.args;
        const opensOurs = isSame(event.args.payee, payee) && tokens.some((token) => isSame(event.args.token, token));
        return opensOurs ? [{ ...base, key: keyOf(0), channelId, opensOurs }] : [];
      }
      case 'CloseRequested':
        return [{ ...base, key: keyOf(0), channelId: event.args.channelId, requestsClose: true }];
      case 'ChannelToppedUp':
      case 'CloseRequestCancelled':
      case 'ChannelSettled':
      case 'ChannelClosed':
      case 'ChannelWithdrawn':
        return [{ ...base, key: keyOf(0), channelId: event.args.channelId }];
      default:
        return [];
    }
  });
}

/**
 * Reads one channel of ours anew, at a block not before its events, and tells the ledger. Channels of other payees or
 * tokens share the escrow, and are passed over.
 * @returns false if the ledger has a read at a later block (a reorganisation made the chain shorter, or someone was
 * faster), so that this one did not count: look again.
 */
async function refreshChannel(
  options: ChannelWatcherOptions,
  { channelId, events, to, pending }: { channelId: Hex; events: readonly SeenEvent[]; to: number; pending: Set<Hex> },
): Promise<boolean> {
  const { ledger, reader, onCloseRequested } = options;
  const ours = events.filter((event) => event.channelId === channelId);
  const known = await ledger.getChannel(channelId);
  if (known === undefined && !ours.some((event) => event.opensOurs)) return true;
  const channel = await reader.readChannel(channelId, { notBeforeBlock: to });
  if (channel?.pending === undefined) pending.delete(channelId);
  else pending.add(channelId);
  if (channel === undefined) {
    if (known === undefined) return true;
    // Its opening was undone. Nothing can be collected from it, so nothing more may be sold on it until it is back.
    const gone = { ...known, deposit: 0n, settled: 0n, closeRequestedAt: 0, readAtBlock: to };
    const after = await ledger.upsertChannel(gone);
    tellLoss(options, known, after);
    return after.readAtBlock === to;
  }
  const after = await ledger.upsertChannel(channel);
  if (known !== undefined) tellLoss(options, known, after);
  if (after.closeRequestedAt !== 0 && ours.some((event) => event.requestsClose)) onCloseRequested(channelId);
  return after.readAtBlock === channel.readAtBlock;
}

/** On the chain a deposit never falls: where it did, a reorganisation took it back, and what was sold on it may never be paid. */
function tellLoss({ log }: ChannelWatcherOptions, before: ChannelState, after: ChannelState): void {
  if (after.deposit >= before.deposit) return;
  const { channelId, payer, deposit, charged, reserved } = after;
  const uncovered = charged + reserved - deposit;
  const facts = { channelId, payer, depositBefore: String(before.deposit), deposit: String(deposit) };
  const atRisk = uncovered > 0n ? String(uncovered) : '0';
  log.error({ ...facts, atRisk }, 'a reorganisation took a deposit back: nothing more is sold on it');
}
