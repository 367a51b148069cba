import type { ChainWriter } from './group-worker.ts';
import type { WebhookLedger } from './webhook-ledger.ts';

/** The main thread's side of the books of what webhooks were told. */
export function createWebhookLedger(worker: ChainWriter): WebhookLedger {
  return {
    openWebhook: (url) => worker.call('openWebhook', url),
    listDueDeliveries: (options) => worker.call('listDueDeliveries', options),
    listWaitingDeliveries: (options) => worker.call('listWaitingDeliveries', options),
    recordDeliveries: (options) => worker.call('recordDeliveries', options),
    listFailedDeliveries: (page) => worker.call('listFailedDeliveries', page),
    readWebhookProgress: (urls) => worker.call('readWebhookProgress', urls),
    retryDeliveries: (options) => worker.call('retryDeliveries', options),
  };
}
