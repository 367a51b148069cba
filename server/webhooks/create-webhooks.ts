import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createJob } from '../chain/create-job.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { RelayConfig } from '../config/relay-config.ts';
import type { WebhookLedger, WebhookProgress } from '../ledger/webhook-ledger.ts';
import { deliverReceipts, type DeliveryState } from './deliver-receipts.ts';
import { createMessagePoster } from './post-message.ts';
import { readWebhookSecrets } from './sign-message.ts';

/** Tells receivers of receipts, beside all calls. */
export interface Webhooks {
  /** Begins; receivers that failed before are tried again when they are due. */
  start(): void;
  /** Ends what is under way; what it had not recorded is sent again after the next start. */
  stop(): Promise<void>;
  /** How far each receiver is, in the order of the configuration; `gone`: it answered 410, and is told nothing until `retry`. */
  progress(): Promise<(WebhookProgress & { gone: boolean })[]>;
  /** Makes everything due that failed, and receivers wanted again that were gone; says how much is due. */
  retry(): Promise<number>;
}

/** How the delivery of receipts is set up. */
export interface CreateWebhooksOptions {
  config: Pick<RelayConfig, 'webhooks'>;
  ledger: WebhookLedger;
  env: Readonly<Record<string, string | undefined>>;
  log: JobLog;
  nowMs: () => number;
  random?: () => number;
  /** How often it is looked for new receipts; one that is there is sent at once, and the next after it. */
  intervalMs?: number;
  /** Of one try. */
  timeoutMs?: number;
}

/** Failed receipts that one transaction makes due. */
const retriedAtOnce = 1_000;
/** Tries at the same time, of each receiver. */
const concurrency = 16;

/**
 * Opens the webhooks of a configuration: receipts from now on are for them, whenever they are started.
 * @throws AutoPayError `invalid_configuration` for a secret that is missing or malformed
 */
export async function createWebhooks(options: CreateWebhooksOptions): Promise<Webhooks> {
  const { config, ledger, env, log, nowMs, random = Math.random, intervalMs = 1_000, timeoutMs = 10_000 } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const receivers = config.webhooks.map(({ url, secretEnv }) => {
    const secrets = readWebhookSecrets(env[secretEnv] ?? '');
    if (!secrets) throw refuseSecret(secretEnv);
    const poster = createMessagePoster({ url, secrets, connections: concurrency, timeoutMs, nowMs });
    const name = new URL(url).host;
    const state: DeliveryState = { isGone: false, nextProbeAtMs: 0 };
    const work = () => deliverReceipts({ url, name, ledger, poster, concurrency, nowMs, random, log, signal, state });
    return { url, poster, state, job: createJob({ name: `webhook ${name}`, intervalMs, work, log }) };
  });
  const urls = receivers.map(({ url }) => url);
  for (const url of urls) await ledger.openWebhook(url);
  return {
    start: () => receivers.forEach(({ job }) => job.start()),
    async stop() {
      stopping.abort();
      await Promise.all(receivers.map(({ poster }) => poster.close()));
      await Promise.all(receivers.map(({ job }) => job.stop()));
    },
    async progress() {
      const all = await ledger.readWebhookProgress(urls);
      return all.map((one, index) => ({ ...one, gone: receivers[index]?.state.isGone === true }));
    },
    async retry() {
      let due = 0;
      for (const { url, state } of receivers) {
        due += await retryAll(ledger, { url, nowMs: nowMs() });
        state.isGone = false;
      }
      return due;
    },
  };
}

/** Some at a time: calls are charged in between. */
async function retryAll(ledger: WebhookLedger, { url, nowMs }: { url: string; nowMs: number }): Promise<number> {
  let due = 0;
  for (let after: number | null = -1; after !== null;) {
    const { count, last } = await ledger.retryDeliveries({ url, nowMs, after, limit: retriedAtOnce });
    due += count;
    after = last;
  }
  return due;
}

function refuseSecret(secretEnv: string): AutoPayError {
  const message = `${secretEnv} has to hold the secret of a webhook: whsec_ and the base64 of 24 to 64 random bytes.`;
  return new AutoPayError('invalid_configuration', message);
}
