import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

/** When a deposit counts: so many blocks after its own, or once a block is what the chain itself calls safe or finalized. */
export type Finality = { kind: 'blocks'; count: number } | { kind: 'tag'; tag: 'safe' | 'finalized' };

/**
 * The newest block whose deposits count; below 0 if there is none yet.
 * @param newest number of the newest block
 * @throws AutoPayError `chain_unavailable`.
 */
export async function readFinalBlock(
  client: Pick<ChainClient, 'getBlock'>,
  finality: Finality,
  newest: number,
): Promise<number> {
  if (finality.kind === 'blocks') return newest - finality.count;
  const { tag } = finality;
  const block = await callChain(`the ${tag} block`, () => client.getBlock({ blockTag: tag }));
  // An endpoint of several nodes may be further with this than with the newest block.
  return Math.min(Number(block.number), newest);
}

/** A guess that is right where blocks take two seconds; elsewhere the next try is a little early or late. */
const secondsPerBlock = 2;
const mostSeconds = 30;
/** What safe and finalized wait for goes by in steps of minutes. */
const secondsByTag = 15;

/** When it makes sense to ask again for a deposit that does not count yet. */
export function secondsToWait(finality: Finality): number {
  return finality.kind === 'tag' ? secondsByTag : Math.min(finality.count * secondsPerBlock, mostSeconds);
}

/** A deposit, or a part of it, that does not count yet. */
export interface PendingDeposit {
  /** The whole deposit by the newest block, atomic units. */
  seenDeposit: bigint;
  /** Ask again after this. */
  retryAfterSeconds: number;
}

/** The refusal of a deposit that does not count yet. The same request may be sent again: nothing was used up. */
export function createNotConfirmed(channelId: Hex, { seenDeposit, retryAfterSeconds }: PendingDeposit): AutoPayError {
  const message =
    'The deposit is on the chain, but has not the confirmations yet that this relay waits for. Send the same request again in a ' +
    'while; sign and deposit nothing anew.';
  const facts = { channelId, seenDeposit: String(seenDeposit), retryAfterSeconds };
  return new AutoPayError('channel_not_confirmed', message, { facts });
}
