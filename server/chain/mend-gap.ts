import type { Hex } from '../../protocol/bytes/hex.ts';
import type { BackgroundLedger, QueuedTransaction } from '../ledger/background-ledger.ts';
import { callChain } from './call-chain.ts';
import { chooseFees } from './choose-fees.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';
import type { AccountView } from './read-account.ts';
import { signAttempt, type TransactionSigner } from './sign-attempt.ts';

/** What mending works with. */
export interface GapMenderOptions extends TransactionSigner {
  client: Pick<ChainClient, 'estimateGas'>;
  ledger: Pick<BackgroundLedger, 'nextNonce' | 'findTransaction' | 'enqueueTransaction'>;
  /** The account's, in lower case. */
  address: Hex;
  log: JobLog;
  fillGapAfterMs: number;
  maxFeePerGas: bigint;
}

/** So many nonces are looked after at one time. */
const maxGap = 64;

/**
 * Finds the nonces that hold up all later ones although nobody waits for them: those of transactions that were in a block
 * and are in none any more, and those that the queue does not know, because another transaction had them before a
 * reorganisation. The former are to be followed again, the latter are used by a transaction that does nothing.
 * @returns what is to be followed. Its second argument is the lowest nonce that is followed and in no block.
 */
export function createGapMender(options: GapMenderOptions) {
  const { ledger, address, log, fillGapAfterMs } = options;
  /** Unix milliseconds at which each missing nonce was first missed: an endpoint may just be a little behind. */
  let missedSince = new Map<number, number>();

  return async function mendGap(view: AccountView, firstFollowed: number | undefined): Promise<QueuedTransaction[]> {
    const end = firstFollowed ?? (await ledger.nextNonce(address)) ?? view.nextNonce;
    const missing = Array.from(
      { length: Math.min(Math.max(end - view.nextNonce, 0), maxGap) },
      (_, at) => view.nextNonce + at,
    );
    missedSince = new Map(missing.map((nonce) => [nonce, missedSince.get(nonce) ?? view.atMs]));
    const found: QueuedTransaction[] = [];
    for (const nonce of missing) {
      if (view.atMs - (missedSince.get(nonce) ?? view.atMs) < fillGapAfterMs) continue;
      const lost = (await ledger.findTransaction({ account: address, nonce })) ?? (await fillGap(options, nonce, view));
      if (lost === undefined) continue;
      log.warn({ account: address, nonce, purpose: lost.purpose }, 'a nonce is unused; its transaction is sent again');
      found.push(lost);
    }
    return found;
  };
}

/** Signs and stores a transfer of nothing to the account itself; undefined while the fees are too high. */
async function fillGap(
  options: GapMenderOptions,
  nonce: number,
  view: AccountView,
): Promise<QueuedTransaction | undefined> {
  const { client, ledger, account, address, maxFeePerGas: cap } = options;
  const fees = chooseFees({ ...view, cap });
  if (fees === undefined) return undefined;
  const transfer = { to: address, data: '0x' } as const;
  const gas = await callChain(`the filling of nonce ${nonce}`, () =>
    client.estimateGas({ account: account.address, ...transfer }),
  );
  const attempt = await signAttempt(options, { nonce, ...transfer, gas }, fees);
  return ledger.enqueueTransaction({ purpose: `fill:${address}:${nonce}`, account: address, nonce, attempt });
}
