import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { keepPriceTable } from './audit/keep-price-table.ts';
import { createConfigFiles } from './config/config-files.ts';
import { findConfig } from './config/find-config.ts';
import { readKeys, type RelayKeys } from './config/read-keys.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { createOffers } from './create-offers.ts';
import { rowsOf } from './create-prices.ts';
import { createPurchasing } from './create-purchasing.ts';
import { createCallGate, type CallGate } from './http/call-gate.ts';
import { listen, type Listening } from './http/listen.ts';
import { openLedger, type RelayLedger } from './ledger/open-ledger.ts';
import { createLog, describeError, type Log } from './log.ts';
import type { RelayChain } from './open-chain.ts';
import { openAuditTrail } from './open-audit-trail.ts';
import { openChains } from './open-chains.ts';
import { createWebhooks } from './webhooks/create-webhooks.ts';

/** How a relay is started. */
export interface StartRelayOptions {
  /** Data folder with autopay.yaml and keys/. */
  dataDir: string;
  /** A file of LiteLLM or of the blueprint that autopay.yaml is to take in, or another autopay.yaml. */
  configFile?: string | undefined;
  /** Instead of listen.port; 0 picks a free one. */
  port?: number;
  /** Where provider keys and AUTOPAY_* settings are. Default: the environment. */
  env?: Readonly<Record<string, string | undefined>>;
  log?: Log;
  /** A part died without which nothing can be sold. The process MUST exit; without this it does, by an exception. */
  onFatal?: (error: unknown) => void;
}

/** A relay that is running. */
export interface Relay {
  url: string;
  /** The relay's account, which signs its receipts. */
  address: Hex;
  /** Reads the configuration again, as a change of its files does. What is refused is logged, and changes nothing. */
  reload(): Promise<void>;
  /**
   * Admits no more calls, lets those under way finish (for 25 s at most), and closes the books. What
   * cannot finish is released, uncharged.
   */
  close(): Promise<void>;
}

/** Calls under way get this long to finish; supervisors commonly kill after 30 s. */
const shutdownTimeoutMs = 25_000;
/** After connections were cut, the books get this long to take the outcome. */
const settleTimeoutMs = 5_000;
/** Connections beyond those of calls: kept alive, or with a request that still comes. */
const idleConnections = 4_096;
/** The last answers get this long to leave. */
const flushTimeoutMs = 1_000;

/**
 * Starts a relay on a data folder: the same entry for `npm start`, tests, and production.
 *
 * @throws AutoPayError `invalid_configuration`, `key_file_unsafe`, `data_dir_locked`, `port_taken`, `chain_unavailable`,
 * `price_table_unpublished`, `log_rolled_back`, `log_forked`
 */
export async function startRelay(options: StartRelayOptions): Promise<Relay> {
  const { env = process.env, onFatal = exitByException } = options;
  const log = options.log ?? createLog(env['AUTOPAY_LOG_LEVEL'] ?? 'info');
  const clock = { nowMs: () => Date.now() };
  const dataDir = resolve(options.dataDir);
  const source = await findConfig(dataDir, options.configFile);
  const files = createConfigFiles(source.file, { env, imports: source.imports });
  const config = await files.load();
  for (const notice of config.notices) log.warn({}, notice);
  const keys = await readKeys(dataDir, env);
  const { limits, listen: address } = config;
  const relay = addressOfPrivateKey(keys.relayKey);

  // Closed in reverse, at the end or as soon as a later part fails to start.
  const closers: (() => Promise<void>)[] = [];
  const fatal = (error: unknown) => {
    log.fatal({ error: describeError(error) }, 'a vital part of the relay died');
    onFatal(error);
  };
  try {
    const ledger = await openBooks({ config, dataDir, keys, commitDelayMs: readCommitDelay(env), onFatal: fatal });
    closers.push(() => ledger.close());
    const trail = await openAuditTrail({ config, dataDir, env, keys, ledger, log, ...clock });
    closers.push(() => trail.close());
    const opened = await openChains({
      ...{ config, keys, relay, ledger, clock, log },
      ...trail.anchoring,
      onFatal: fatal,
    });
    closers.push(() => opened.close());
    closers.push(() => trail.interrupt());
    const { chains } = opened;
    const purchasing = createPurchasing({ config, chains, ledger, relayKey: keys.relayKey, env, clock, log });
    closers.push(() => purchasing.stop());
    const webhooks = await createWebhooks({ config, ledger, env, log, ...clock });
    closers.push(() => webhooks.stop());
    const gate = createCallGate(limits.maxConcurrentCalls);
    const { operatorToken } = keys;
    const { trustedProxies } = address;
    const app = {
      ...{ ...trail.app, operatorToken, maxBodyBytes: limits.maxBodyBytes, trustedProxies, relay, ...clock },
      ...{ purchasing: () => purchasing.state(), purchases: { ...purchasing, ledger }, webhooks: { webhooks, ledger } },
    };
    const keepPrices = (sold: RelayConfig) => keepAllPrices(join(dataDir, 'prices'), sold);
    await keepPrices(config);
    const offers = createOffers({
      ...{ app, chains, config, env, gate, keepPrices, files, log },
      wrapTransport: (transport) => purchasing.wrap(transport),
    });
    closers.push(() => offers.close());
    const maxConnections = idleConnections + 4 * limits.maxConcurrentCalls;
    const listening = await listen(offers.listener, { ...address, port: options.port ?? address.port, maxConnections });
    const work = ({ background, prices }: RelayChain) => {
      background.start();
      prices.start();
    };
    chains.forEach(work);
    opened.openOthers(async (chain) => {
      await offers.add(chain);
      purchasing.addChain(chain);
      work(chain);
    });
    trail.start();
    purchasing.start();
    webhooks.start();
    log.info({ url: listening.url, relay, chainIds: chains.map(({ chainId }) => chainId) }, 'the relay listens');

    const finishTimeoutMs = Math.min(shutdownTimeoutMs, limits.drainTimeoutMs || shutdownTimeoutMs);
    const cutUpstreams = () => offers.close();
    const stop = async () => {
      await stopCalls({ gate, listening, finishTimeoutMs, cutUpstreams, log });
      await closeAll(closers);
      log.info({}, 'the relay has stopped');
    };
    return { url: listening.url, address: relay, reload: () => offers.reload(), close: once(stop) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** The books of all chains, in one file. */
function openBooks(options: {
  config: RelayConfig;
  dataDir: string;
  keys: RelayKeys;
  commitDelayMs: number;
  onFatal: (error: unknown) => void;
}): Promise<RelayLedger> {
  const { config, keys, ...rest } = options;
  const [receiptScope, ...otherScopes] = config.chains.map(({ chain, contracts }) => ({
    ...{ chainId: chain.id, verifyingContract: contracts.autoPayLLM },
  }));
  if (!receiptScope) throw new RangeError('a configuration has a chain');
  return openLedger({ ...rest, chainId: receiptScope.chainId, receiptScope, otherScopes, receiptKey: keys.relayKey });
}

/** The price table of each chain. */
async function keepAllPrices(folder: string, { chains }: RelayConfig): Promise<void> {
  for (const { routes } of chains) await keepPriceTable(folder, rowsOf(routes));
}

/** Runs it at the first call; all calls share its end. */
function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}

/** Ends the calls: first by themselves, then without their clients, then without their upstreams. */
async function stopCalls(options: {
  gate: CallGate;
  listening: Listening;
  finishTimeoutMs: number;
  cutUpstreams: () => Promise<void>;
  log: Log;
}): Promise<void> {
  const { gate, listening, log } = options;
  const { server } = listening;
  const closed = new Promise<void>((done) => void server.close(() => done()));
  const drained = gate.drain();
  if (await isOver(drained, options.finishTimeoutMs)) {
    server.closeIdleConnections();
    await isOver(closed, flushTimeoutMs);
  } else {
    log.warn({}, 'cutting the calls that did not finish in time');
  }
  server.closeAllConnections();
  if (await isOver(drained, settleTimeoutMs)) return;
  await options.cutUpstreams();
  if (!(await isOver(drained, settleTimeoutMs))) log.error({}, 'calls are left behind; the next start releases them');
}

/** Whether `event` comes to pass in time. */
async function isOver(event: Promise<void>, timeoutMs: number): Promise<boolean> {
  const timeout = new AbortController();
  const late = sleep(timeoutMs, false, { signal: timeout.signal }).catch(() => false);
  const inTime = await Promise.race([event.then(() => true), late]);
  timeout.abort();
  return inTime;
}

async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of closers.toReversed()) await close();
}

/** Test only: AUTOPAY_TEST_COMMIT_DELAY_MS makes every commit late, to show what waits for it. */
function readCommitDelay(env: Readonly<Record<string, string | undefined>>): number {
  const text = env['AUTOPAY_TEST_COMMIT_DELAY_MS'];
  if (text === undefined || text === '') return 0;
  if (/^[0-9]{1,5}$/.test(text)) return Number(text);
  throw new AutoPayError('invalid_configuration', 'AUTOPAY_TEST_COMMIT_DELAY_MS has to be whole milliseconds.');
}

function exitByException(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
