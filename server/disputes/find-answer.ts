import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { DisputeKind } from '../../protocol/disputes/dispute-kinds.ts';
import type { BackgroundLedger, LoggedCharge } from '../ledger/background-ledger.ts';

/** A challenge that the relay has to answer, as the chain has it. */
export interface Challenge {
  id: bigint;
  kind: Extract<DisputeKind, 'not-in-log' | 'settled-beyond-receipt'>;
  channelId: Hex;
  /** Of the receipt in question; of the payer's last for `settled-beyond-receipt`, 0 if it has none. */
  sequence: number;
  /** Leaf hash of that receipt. */
  leaf: Hex;
  /** `settled-beyond-receipt`: what has to be accounted for, atomic units. */
  settled: bigint;
  /** Unix seconds. */
  openedAt: number;
}

/** The charge that answers, or, in words for the operator, what is missing. */
export type FoundAnswer = { charge: LoggedCharge } | { missing: string };

/** What finding an answer works with. */
export interface FindAnswerDeps {
  ledger: Pick<BackgroundLedger, 'anchoredSize' | 'findCharge' | 'findLastCharge'>;
  /** Anchors what is in the log by now. */
  anchor: () => Promise<unknown>;
}

/**
 * Finds the charge that answers a challenge. If it accounts for a settled total and is not anchored yet, it is now; an
 * entry that should have been in the log before the challenge cannot be helped that way.
 */
export async function findAnswer(deps: FindAnswerDeps, challenge: Challenge): Promise<FoundAnswer> {
  return challenge.kind === 'not-in-log' ? findDisputed(deps, challenge) : findAccounting(deps, challenge);
}

/** The very receipt that the payer holds. */
async function findDisputed({ ledger }: FindAnswerDeps, challenge: Challenge): Promise<FoundAnswer> {
  const { channelId, sequence, leaf } = challenge;
  const charge = await ledger.findCharge({ channelId, sequence });
  if (charge === undefined) return { missing: `the ledger has no charge ${sequence} of this channel` };
  const own = toHex(charge.leafHash);
  if (own !== leaf.toLowerCase()) {
    return { missing: `charge ${sequence} of this channel is another receipt (leaf ${own}) in the ledger` };
  }
  return { charge };
}

/** Any later charge that counts up to the settled total: the newest counts most. */
async function findAccounting({ ledger, anchor }: FindAnswerDeps, challenge: Challenge): Promise<FoundAnswer> {
  const { channelId, sequence, settled } = challenge;
  const accounts = (charge: LoggedCharge | undefined): charge is LoggedCharge =>
    charge !== undefined && charge.sequence > sequence && charge.runningTotal >= settled;
  const newest = await ledger.findLastCharge({ channelId });
  if (!accounts(newest)) {
    return { missing: `the ledger has no charge of this channel after ${sequence} with a running total of ${settled}` };
  }
  const anchored = await ledger.findLastCharge({ channelId, belowIndex: await ledger.anchoredSize() });
  if (accounts(anchored)) return { charge: anchored };
  await anchor();
  return { charge: newest };
}
