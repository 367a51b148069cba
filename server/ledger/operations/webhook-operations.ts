import type {
  DueDeliveries,
  FailedDelivery,
  RetriedDeliveries,
  WebhookDelivery,
  WebhookProgress,
  WebhookResult,
} from '../webhook-ledger.ts';
import { maxWaitingDeliveries } from '../webhook-ledger.ts';
import type { WebhookStore } from '../webhook-store.ts';

/** The most failures that one list answers. */
const maxListed = 1_000;

interface Page {
  after?: Pick<FailedDelivery, 'url' | 'index'>;
  limit: number;
}

/** The operations of `WebhookLedger`, by name; each takes one argument. */
export function createWebhookOperations({ webhooks }: { webhooks: WebhookStore }) {
  return {
    openWebhook: (url: string): void => webhooks.insert(url),
    listDueDeliveries({ url, nowMs, limit }: { url: string; nowMs: number; limit: number }): DueDeliveries {
      const isFull = webhooks.countWaiting(url) >= maxWaitingDeliveries;
      const fresh = isFull ? [] : webhooks.listNew({ from: webhooks.nextIndex(url), limit });
      // What failed gets at least half of the room, and all that new receipts leave.
      const due = webhooks.listDue({ url, nowMs, limit: Math.max(limit - fresh.length, Math.ceil(limit / 2)) });
      return { deliveries: [...due, ...fresh.slice(0, limit - due.length)], isFull };
    },
    listWaitingDeliveries: ({ url, limit }: { url: string; limit: number }): WebhookDelivery[] =>
      webhooks.listDue({ url, nowMs: Number.MAX_SAFE_INTEGER, limit }),
    recordDeliveries({ url, results }: { url: string; results: readonly WebhookResult[] }): void {
      let next = webhooks.nextIndex(url);
      for (const { index, failure } of results) {
        next = Math.max(next, index + 1);
        if (failure === null) webhooks.remove(url, index);
        else webhooks.putFailure(url, { index, attempts: webhooks.attempts(url, index) + 1, ...failure });
      }
      webhooks.setNextIndex(url, next);
    },
    listFailedDeliveries: ({ after = { url: '', index: -1 }, limit }: Page): FailedDelivery[] =>
      webhooks.listFailed(after, Math.min(limit, maxListed)),
    readWebhookProgress: (urls: readonly string[]): WebhookProgress[] => urls.map((url) => webhooks.progress(url)),
    retryDeliveries: (options: { url: string; nowMs: number; after: number; limit: number }): RetriedDeliveries =>
      webhooks.retry(options),
  };
}
