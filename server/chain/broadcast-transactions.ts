import { setTimeout as sleep } from 'node:timers/promises';
import { BaseError } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChainClient } from './create-chain-client.ts';

/** What a node said to a transaction. */
export type BroadcastAnswer =
  /** It has it. */
  | { kind: 'taken' }
  /** The nonce is used: by this transaction or another; the receipts tell. */
  | { kind: 'used' }
  /** It wants the transactions with the nonces before first. */
  | { kind: 'early' }
  /** The fees are too low for it: for its newest block, its pool, or to replace what it has with this nonce. */
  | { kind: 'cheap' }
  /** The account cannot pay for it. */
  | { kind: 'poor'; cause: unknown }
  /** It did not answer, or refused for another reason. */
  | { kind: 'failed'; cause: unknown };

const answers: readonly (readonly [RegExp, 'taken' | 'used' | 'early' | 'cheap' | 'poor'])[] = [
  [/already ?known|known transaction|already imported|already exists/i, 'taken'],
  [/nonce too high|nonce is too high|higher than the account|gapped/i, 'early'],
  [/nonce too low|nonce is too low|lower than the current nonce|already been used/i, 'used'],
  [/insufficient funds|doesn't have enough funds|overshot/i, 'poor'],
  [
    /underpriced|fee too low|less than block base fee|lower than the (?:block|current|minimum)|too low to replace/i,
    'cheap',
  ],
];

/** Hands a signed transaction to the node. Never throws. */
export async function broadcastTransaction(
  client: Pick<ChainClient, 'sendRawTransaction'>,
  raw: Hex,
): Promise<BroadcastAnswer> {
  try {
    await client.sendRawTransaction({ serializedTransaction: raw });
    return { kind: 'taken' };
  } catch (cause) {
    const text = cause instanceof BaseError ? `${cause.message} ${cause.details}` : String(cause);
    const kind = answers.find(([pattern]) => pattern.test(text))?.[1] ?? 'failed';
    return kind === 'poor' || kind === 'failed' ? { kind, cause } : { kind };
  }
}

/** So many are on their way to the node at one time, unless it is slow to answer. */
const maxGroupSize = 16;
/** One that is not answered by then holds up no other. */
const patienceMs = 2_000;

/** Something to be broadcast, in the order of `nonce`. */
export interface Broadcast {
  nonce: number;
  /** @returns whether the node wants those with lower nonces first */
  send(): Promise<boolean>;
}

/**
 * Broadcasts in groups, each in the order of nonces. Not every node takes them in any order: what comes too early is sent
 * again, one after the other.
 */
export async function broadcastInOrder(broadcasts: readonly Broadcast[]): Promise<void> {
  const ordered = broadcasts.toSorted((a, b) => a.nonce - b.nonce);
  for (let start = 0; start < ordered.length; start += maxGroupSize) {
    const group = ordered.slice(start, start + maxGroupSize);
    const early: Broadcast[] = [];
    const sending = group.map(async (one) => {
      if (await one.send()) early.push(one);
    });
    await withPatience(Promise.all(sending));
    for (const one of early.toSorted((a, b) => a.nonce - b.nonce)) await withPatience(one.send());
  }
}

async function withPatience(work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, sleep(patienceMs, undefined, { signal: done.signal }).catch(() => undefined)]);
  done.abort();
}
