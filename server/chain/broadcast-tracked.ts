import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { TransactionAttempt } from '../ledger/background-ledger.ts';
import { broadcastInOrder, broadcastTransaction, type BroadcastAnswer } from './broadcast-transactions.ts';
import type { ChainClient } from './create-chain-client.ts';
import { tellWaiters, type TrackedTransaction } from './tracked-transaction.ts';

/** What broadcasting works with. */
export interface TrackedBroadcasterOptions {
  client: ChainClient;
  /** The account's. */
  address: Hex;
  /** What is followed, by id. */
  tracked: ReadonlyMap<number, TrackedTransaction>;
  rebroadcastAfterMs: number;
  pollingIntervalMs: number;
  /** Called where nothing of the account can be mined at present. */
  onStuck: (error: AutoPayError) => void;
}

/** So often in a row may the chain, the ledger or a broadcast fail before those who wait are told. */
export const maxFailures = 3;

/**
 * Makes a function that broadcasts the newest signature of each followed transaction whose time has come, lower nonces first. It
 * returns at once; what is asked while it is busy is done in the same run.
 */
export function createTrackedBroadcaster(options: TrackedBroadcasterOptions): () => void {
  const { client, tracked: all, rebroadcastAfterMs, pollingIntervalMs } = options;
  let isBroadcasting = false;

  /** @returns whether the node wants lower nonces first */
  async function broadcast(tracked: TrackedTransaction): Promise<boolean> {
    const newest = tracked.transaction.attempts.at(-1);
    if (newest === undefined || tracked.isOnItsWay || !all.has(tracked.transaction.id)) return false;
    tracked.isOnItsWay = true;
    tracked.dueAtMs = Date.now() + rebroadcastAfterMs;
    const answer = await broadcastTransaction(client, newest.raw);
    tracked.isOnItsWay = false;
    tracked.isCheap = answer.kind === 'cheap';
    const isFine = answer.kind === 'taken' || answer.kind === 'used';
    // A replacement that was signed meanwhile is due already.
    if (!isFine) tracked.dueAtMs = Math.min(tracked.dueAtMs, Date.now() + pollingIntervalMs);
    tracked.failures = answer.kind === 'failed' ? tracked.failures + 1 : 0;
    judge(options, { tracked, answer, newest });
    return answer.kind === 'early';
  }

  async function broadcastAll(): Promise<void> {
    while (true) {
      const now = Date.now();
      const due = [...all.values()].filter(({ dueAtMs, isOnItsWay }) => !isOnItsWay && dueAtMs <= now);
      if (due.length === 0) break;
      await broadcastInOrder(
        due.map((tracked) => ({ nonce: tracked.transaction.nonce, send: () => broadcast(tracked) })),
      );
    }
    isBroadcasting = false;
  }

  return () => {
    if (isBroadcasting) return;
    isBroadcasting = true;
    void broadcastAll();
  };
}

function judge(
  { address, onStuck, tracked: all }: TrackedBroadcasterOptions,
  sent: { tracked: TrackedTransaction; answer: BroadcastAnswer; newest: TransactionAttempt },
): void {
  const { answer, newest, tracked } = sent;
  const { transaction } = tracked;
  if (answer.kind === 'poor') {
    // What stands before may still be paid for; nothing behind the first one is mined without it.
    const lowest = Math.min(...[...all.values()].map((other) => other.transaction.nonce));
    if (transaction.nonce > lowest) return;
    const message = `The relay's account ${address} cannot pay for gas. Send it ether.`;
    return onStuck(new AutoPayError('transaction_failed', message, { cause: answer.cause }));
  }
  if (answer.kind !== 'failed' || tracked.failures < maxFailures) return;
  tracked.failures = 0;
  const message = `The endpoint did not take ${transaction.purpose} (${newest.hash}). It stays queued and is taken up again.`;
  tellWaiters(tracked, new AutoPayError('chain_unavailable', message, { cause: answer.cause }));
}
