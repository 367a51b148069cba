import type { Hex } from '../../protocol/bytes/hex.ts';
import { findingOf, type Finding, type HeldReceipt } from './held-receipt.ts';

/** More than can be in flight at once. */
const defaultRemembered = 4_096;
/** More receipts for one sequence number prove nothing that two do not. */
const maxPerSequence = 4;

/** Receipts of a channel that are missing between two that are there. */
export interface SequenceHole {
  channelId: Hex;
  /** Sequence numbers of the first and the last that are missing. */
  from: number;
  to: number;
  /** What the missing ones charged together, by the running totals beside them; atomic units. */
  charged: bigint;
  /** When the receipt behind the hole was signed, unix milliseconds. */
  knownSinceMs: number;
}

/**
 * The wallet's receipts by channel and sequence number, held against each other as BillingDisputes does: one sequence number
 * has one receipt, and a running total counts no more than its neighbour's and its own amount. Parallel calls return in any
 * order, so only neighbours that are both there are compared: a hole is no contradiction.
 */
export class HeldReceipts {
  readonly #channels = new Map<string, Map<number, HeldReceipt[]>>();
  readonly #maxRemembered: number;

  /** @param maxRemembered receipts of each channel; the oldest are forgotten beyond it. */
  constructor(maxRemembered = defaultRemembered) {
    this.#maxRemembered = maxRemembered;
  }

  /** Takes a receipt, and says what it contradicts of those that were taken before. The same one again contradicts nothing. */
  add(held: HeldReceipt): Finding[] {
    const { receipt } = held;
    const { sequence } = receipt;
    // What has no place in the channel is no receipt that the contract could compare.
    if (sequence < 1) return [];
    const channel = this.#channelOf(held);
    const same = channel.get(sequence) ?? [];
    if (same.some(({ leaf }) => leaf === held.leaf)) return [];
    const findings = [
      ...same.slice(0, 1).map((other) => describeDuplicate(other, held)),
      ...findExcess(channel.get(sequence - 1) ?? [], held),
      ...(channel.get(sequence + 1) ?? []).flatMap((later) => findExcess([held], later)),
    ];
    if (same.length < maxPerSequence) channel.set(sequence, [...same, held]);
    const oldest = channel.keys().next();
    if (channel.size > this.#maxRemembered && !oldest.done) channel.delete(oldest.value);
    return findings;
  }

  /** What is missing between the receipts that are there. */
  holes(): SequenceHole[] {
    return [...this.#channels.values()].flatMap((channel) => {
      const sorted = [...channel.values()]
        .flatMap(([first]) => first ?? [])
        .toSorted((one, other) => one.receipt.sequence - other.receipt.sequence);
      let [before, total] = [0, 0n];
      return sorted.flatMap(({ receipt, signedAtMs }): SequenceHole[] => {
        const { channelId, sequence, runningTotal, amount } = receipt;
        const [from, charged] = [before + 1, runningTotal - amount - total];
        [before, total] = [sequence, runningTotal];
        return from === sequence ? [] : [{ channelId, from, to: sequence - 1, charged, knownSinceMs: signedAtMs }];
      });
    });
  }

  #channelOf({ receipt, chainId, payee }: HeldReceipt): Map<number, HeldReceipt[]> {
    const key = `${chainId}:${payee}:${receipt.channelId}`;
    const channel = this.#channels.get(key) ?? new Map<number, HeldReceipt[]>();
    this.#channels.set(key, channel);
    return channel;
  }
}

function describeDuplicate(one: HeldReceipt, other: HeldReceipt): Finding {
  const { sequence, amount, callId } = one.receipt;
  const reason =
    `sequence number ${sequence} of the channel has two receipts, for call ${callId} over ${amount} and for call ` +
    `${other.receipt.callId} over ${other.receipt.amount} atomic units`;
  return findingOf({ kind: 'duplicate-sequence', one: one.struct, other: other.struct }, other, reason);
}

/** Whether a receipt's running total counts more than the one before it and its own amount. */
function findExcess(before: readonly HeldReceipt[], later: HeldReceipt): Finding[] {
  const { sequence, runningTotal, amount } = later.receipt;
  const describe = (earlier: HeldReceipt | null): Finding[] => {
    const counted = (earlier?.receipt.runningTotal ?? 0n) + amount;
    if (runningTotal <= counted) return [];
    const reason = `receipt ${sequence} of the channel counts ${runningTotal} atomic units so far, ${runningTotal - counted} more than was charged`;
    const evidence = { kind: 'wrong-running-total', earlier: earlier?.struct ?? null, later: later.struct } as const;
    return [findingOf(evidence, later, reason)];
  };
  // With two receipts before it, it is enough that one of them contradicts it.
  return sequence === 1 ? describe(null) : before.flatMap(describe).slice(0, 1);
}

/** What a hole means to the wallet's owner. */
export function describeHole({ channelId, from, to, charged }: SequenceHole): string {
  const which = from === to ? `Receipt ${from}` : `Receipts ${from} to ${to}`;
  return (
    `${which} of channel ${channelId} never came: calls that charged ${charged} atomic units. A call that is under ` +
    'way or was broken off is one; of any other ask the relay for its receipt.'
  );
}
