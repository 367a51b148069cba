import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { AuthorizationState } from '../chain/read-seller.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { PurchaseLedger, SpentTold, StoredPurchase } from '../ledger/purchase-ledger.ts';
import { describeError } from '../log.ts';

/** What finding out about purchases works with. */
export interface SettlePurchasesOptions {
  ledger: Pick<PurchaseLedger, 'closePurchase' | 'listUnknownPurchases' | 'reconcileChannel'>;
  /** What became of an authorization; undefined where the chain is none of the configuration any more. Throws `chain_unavailable`. */
  readAuthorization: (purchase: StoredPurchase & { nonce: Hex }) => Promise<AuthorizationState | undefined>;
  /** Asks a seller what was spent of a channel in all, as of its last receipt before; undefined if it does not say. */
  askSpent: (place: { provider: string; channelId: Hex }) => Promise<Pick<SpentTold, 'spent' | 'sequence'> | undefined>;
  log: JobLog;
  nowMs: () => number;
}

const pageSize = 500;
/** Blocks near the end of an authorization may be reordered; a minute later that is over for practical purposes. */
const marginSeconds = 60;
/**
 * So long a seller may still be working on a call whose buyer has gone: 20 minutes for the call itself, and its drain. Asked earlier, it
 * would leave it out.
 */
const callLifetimeMs = 1_500_000;

/**
 * Finds out what purchases of unknown cost did cost. An authorization was taken if its nonce is used, and cannot be taken any more once
 * it has ended unused. Of a channel the seller is asked what was spent in all, which cannot be more than was bought.
 * @returns how many are still unknown
 */
export async function settlePurchases(options: SettlePurchasesOptions): Promise<number> {
  const { ledger, log } = options;
  const channels = new Map<Hex, StoredPurchase>();
  const unreachable = new Set<number>();
  let unknown = 0;
  for (let after = 0, page: StoredPurchase[]; ; after = page.at(-1)?.purchaseId ?? after) {
    page = await ledger.listUnknownPurchases({ after, limit: pageSize });
    for (const purchase of page) {
      const { chainId, channelId, nonce } = purchase;
      if (nonce !== null) {
        const ask = () => settleAuthorization(options, { ...purchase, nonce });
        unknown += (await onReachable(unreachable, { chainId, log, ask })) ? 0 : 1;
      }
      // The youngest decides when the channel may be asked.
      if (channelId !== null) channels.set(channelId, purchase);
      if (channelId !== null) unknown += 1;
    }
    if (page.length < pageSize) break;
  }
  for (const [channelId, youngest] of channels) {
    await reconcile(options, channelId, youngest).catch((error: unknown) => {
      log.warn(
        { channelId, error: describeError(error) },
        'a provider could not be asked what was spent of its channel',
      );
    });
  }
  return unknown;
}

/** Asks no chain twice that does not answer: what is on others must not wait for it. */
async function onReachable(
  unreachable: Set<number>,
  { ask, chainId, log }: { ask: () => Promise<boolean>; chainId: number; log: JobLog },
): Promise<boolean> {
  if (unreachable.has(chainId)) return false;
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AutoPayError) || error.code !== 'chain_unavailable') throw error;
    unreachable.add(chainId);
    log.warn({ chainId, error: describeError(error) }, 'a chain could not be asked what became of payments');
    return false;
  }
}

/** @returns whether it is settled */
async function settleAuthorization(
  { ledger, log, readAuthorization }: SettlePurchasesOptions,
  purchase: StoredPurchase & { nonce: Hex },
): Promise<boolean> {
  const { attempt, callId, maximum, provider, purchaseId, validBefore } = purchase;
  const state = await readAuthorization(purchase);
  if (state === undefined) return false;
  if (state.isUsed) {
    await ledger.closePurchase({ purchaseId, state: 'paid', cost: maximum });
    log.info({ callId, attempt, provider, amount: String(maximum) }, 'a provider has taken a payment');
    return true;
  }
  if (state.atSeconds < (validBefore ?? 0) + marginSeconds) return false;
  await ledger.closePurchase({ purchaseId, state: 'void' });
  log.info(
    { callId, attempt, provider, amount: String(maximum) },
    'a provider has not taken a payment, which has ended',
  );
  return true;
}

async function reconcile(
  { askSpent, ledger, log, nowMs }: SettlePurchasesOptions,
  channelId: Hex,
  { openedAtMs, provider, purchaseId }: StoredPurchase,
): Promise<void> {
  if (nowMs() - openedAtMs < callLifetimeMs) return;
  const told = await askSpent({ provider, channelId });
  if (told === undefined) return;
  const problem = await ledger.reconcileChannel({ ...told, channelId, upTo: purchaseId });
  if (problem === null) return;
  const message =
    'what a provider says of its channel does not fit: it is paid nothing more until the operator says so';
  log.error({ channelId, provider, problem }, message);
}
