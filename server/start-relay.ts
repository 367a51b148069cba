import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createApp } from './app.ts';
import { createBackground, type Background } from './background.ts';
import { handleCall } from './call/handle-call.ts';
import { readQuotes } from './call/quote-tokens.ts';
import { createChainClient } from './chain/create-chain-client.ts';
import { checkDeployment } from './check-deployment.ts';
import { loadConfig } from './config/load-config.ts';
import { readKeys } from './config/read-keys.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { createCallDeps } from './create-call-deps.ts';
import { createPayments } from './create-payments.ts';
import { createPrices } from './create-prices.ts';
import { createCallGate, type CallGate } from './http/call-gate.ts';
import { describeModels } from './http/describe-models.ts';
import { listen, type Listening } from './http/listen.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { createLog, describeError, type Log } from './log.ts';
import { prepareX402 } from './payments/x402/prepare-x402.ts';

/** How a relay is started. */
export interface StartRelayOptions {
  /** Data folder with autopay.yaml and keys/. */
  dataDir: string;
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
 * `price_table_unpublished`
 */
export async function startRelay(options: StartRelayOptions): Promise<Relay> {
  const { env = process.env, onFatal = exitByException } = options;
  const log = options.log ?? createLog(env['AUTOPAY_LOG_LEVEL'] ?? 'info');
  const clock = { nowMs: () => Date.now() };
  const dataDir = resolve(options.dataDir);
  const config = await loadConfig(join(dataDir, 'autopay.yaml'));
  const keys = await readKeys(dataDir, env);
  const { chain, contracts, limits, listen: address } = config;
  const relay = addressOfPrivateKey(keys.relayKey);
  const client = createChainClient({ rpcUrl: chain.rpcUrl, chainId: chain.id });
  await checkDeployment({ client, config, relay });

  // Closed in reverse, at the end or as soon as a later part fails to start.
  const closers: (() => Promise<void>)[] = [];
  const fatal = (error: unknown) => {
    log.fatal({ error: describeError(error) }, 'a vital part of the relay died');
    onFatal(error);
  };
  try {
    const ledger = await openLedger({
      dataDir,
      chainId: chain.id,
      receiptScope: { chainId: chain.id, verifyingContract: contracts.autoPayLLM },
      receiptKey: keys.relayKey,
      commitDelayMs: readCommitDelay(env),
      onFatal: fatal,
    });
    closers.push(() => ledger.close());
    const x402 = await prepareX402({ config, client });
    const background = createBackground({ ...x402, config, ledger, relayKey: keys.relayKey, dataDir, log });
    closers.push(() => background.stop());
    await background.readBudgets();
    const prices = createPrices({ config, client, head: background.head, log, ...clock });
    closers.push(() => prices.stop());
    await prices.prepare();
    const { challengeKey, masterKey, operatorToken } = keys;
    const reader = background.channelReader;
    const books = { config, ledger, prices: prices.list };
    const { authority, budgets, settlement } = background;
    const payments = createPayments({
      ...{ ...books, x402, settlement, challengeKey, masterKey, client, reader },
      ...{ log, ...clock, onFatal: fatal, transactions: background.transactions },
      collections: { collect: () => background.runJob('collect'), settle: (open) => background.settleCollection(open) },
    });
    closers.push(() => payments.close());
    const calls = createCallDeps({ ...books, authority, budgets, clock, log, env });
    closers.push(() => calls.closeTransport());

    const { deps } = calls;
    const gate = createCallGate(limits.maxConcurrentCalls);
    const app = createApp({
      gate,
      payments: payments.methods,
      handleCall: (request, sink) => handleCall(deps, request, sink),
      quotesOf: (body) => readQuotes(deps, body),
      ...{ maxBodyBytes: limits.maxBodyBytes, trustedProxies: address.trustedProxies },
      keys: payments.keys,
      log,
      models: describeModels({ routes: deps.routes, prices: prices.list, ...clock }),
      health: () => ({ relay, ...describeTerms(config), ...describeState(background) }),
      ledger,
      blocks: background.blocks,
      runJob: (name) => background.runJob(name),
      operatorToken,
    });
    const maxConnections = idleConnections + 4 * limits.maxConcurrentCalls;
    const listening = await listen(app, { ...address, port: options.port ?? address.port, maxConnections });
    background.start();
    prices.start();
    log.info({ url: listening.url, relay, chainId: chain.id }, 'the relay listens');

    const finishTimeoutMs = Math.min(shutdownTimeoutMs, limits.drainTimeoutMs);
    const cutUpstreams = () => calls.closeTransport();
    const stop = async () => {
      await stopCalls({ gate, listening, finishTimeoutMs, cutUpstreams, log });
      await closeAll(closers);
      log.info({}, 'the relay has stopped');
    };
    return { url: listening.url, address: relay, close: once(stop) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Runs it at the first call; all calls share its end. */
function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}

/** What a client has to know before it pays. */
function describeTerms({ chain, contracts, tokens }: RelayConfig): Record<string, unknown> {
  const taken = tokens.map(({ symbol, address, decimals }) => ({ symbol, address, decimals }));
  return { chainId: chain.id, contracts, tokens: taken };
}

/** What an operator watches. */
function describeState(background: Background): Record<string, unknown> {
  return { bond: background.bond(), disputes: background.disputes(), payments: background.settlement.state() };
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
