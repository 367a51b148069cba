import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';

/** A receipt that a webhook is to be told of. */
export interface WebhookDelivery {
  /** Position in the log. */
  index: number;
  callId: string;
  /** EIP-155 id of the chain that it is signed for. */
  chainId: number;
  /** Without its salts: those are the payer's. */
  signed: SignedReceipt;
  /** How often it was tried. */
  attempts: number;
}

/** What became of one try. */
export interface WebhookResult {
  index: number;
  /** Null: delivered. `nextAtMs` is null where it is not tried again. */
  failure: { reason: string; nextAtMs: number | null } | null;
}

/** A receipt that could not be delivered. */
export interface FailedDelivery {
  url: string;
  index: number;
  callId: string;
  attempts: number;
  /** Unix milliseconds of the next try; null if there is none: it is a dead letter. */
  nextAtMs: number | null;
  reason: string;
}

/** How far a webhook is. */
export interface WebhookProgress {
  url: string;
  /** Receipts that have not been tried. */
  behind: number;
  /** Receipts that are tried again. */
  waiting: number;
  /** Receipts that are not. */
  dead: number;
}

/** The most receipts that wait for another try of one webhook: at that number no new ones are taken up, and the log is the queue. */
export const maxWaitingDeliveries = 10_000;

/** What is due, and whether as many wait as may: then nothing new is among it. */
export interface DueDeliveries {
  deliveries: WebhookDelivery[];
  isFull: boolean;
}

/** What was made due. */
export interface RetriedDeliveries {
  count: number;
  last: number | null;
}

/** The books of what webhooks were told. Every method is one transaction, and resolves when it is durable. */
export interface WebhookLedger {
  /** From now on each new receipt is for this webhook; one that is known goes on where it was. */
  openWebhook(url: string): Promise<void>;
  /** What is due, receipts that failed before first (half of `limit` at most, while there are new ones), then new ones in the order of the log. */
  listDueDeliveries(options: { url: string; nowMs: number; limit: number }): Promise<DueDeliveries>;
  /** Those that wait for another try, the next one first, due or not. */
  listWaitingDeliveries(options: { url: string; limit: number }): Promise<WebhookDelivery[]>;
  /** Says what became of receipts that were due. Each of them MUST be named: those after the last one are the next. */
  recordDeliveries(options: { url: string; results: readonly WebhookResult[] }): Promise<void>;
  /** What failed and was not delivered since, by URL and position; at most 1,000 at a time. */
  listFailedDeliveries(page: {
    after?: Pick<FailedDelivery, 'url' | 'index'>;
    limit: number;
  }): Promise<FailedDelivery[]>;
  /** How far each of these webhooks is. */
  readWebhookProgress(urls: readonly string[]): Promise<WebhookProgress[]>;
  /**
   * Makes due what failed, dead letters too, with its tries counted anew: the next `limit` of them after a position of the log.
   * Says how many they are, and where the last one stands; null where none is left.
   */
  retryDeliveries(options: { url: string; nowMs: number; after: number; limit: number }): Promise<RetriedDeliveries>;
}
