import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { AnswerCache } from './call/cache/answer-cache.ts';
import { RunningCalls } from './call/running-calls.ts';
import type { Transport } from './call/transport.ts';
import type { CallDeps, CallSummary, Clock, ModelBudgets, RelayAuthority } from './call/types.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { ChannelLedger } from './ledger/channel-ledger.ts';
import type { Ledger } from './ledger/ledger.ts';
import { createEvidenceCollector } from './evidence/create-evidence-collector.ts';
import type { QuoteAsk } from './evidence/check-quote.ts';
import { openQuoteChecker } from './evidence/open-quote-checker.ts';
import type { EvidenceLedger } from './ledger/evidence-ledger.ts';
import { createPayerScope } from './create-payer-scope.ts';
import { describeError, type Log } from './log.ts';
import type { PriceList } from './metering/price-list.ts';
import { createAddressLimits } from './payments/free/address-limits.ts';
import { createTransport, type Provider } from './providers/openai-compatible.ts';
import { createRouteChooser } from './routing/choose-routes.ts';
import { compileRule } from './routing/compile-rules.ts';
import { createRouter } from './routing/create-router.ts';
import { DeploymentHealth } from './routing/deployment-health.ts';
import { watchProviders } from './routing/watch-providers.ts';

/** What the life of a call works with, and what has to be closed after the last one. */
export interface CallSetup {
  deps: CallDeps;
  closeTransport(): Promise<void>;
}

/**
 * Wires routes and providers of a configuration.
 *
 * @param options.env where provider keys are
 * @throws AutoPayError `invalid_configuration` if a provider's key is not set
 */
export function createCallDeps(options: {
  config: RelayConfig;
  ledger: Ledger & Pick<ChannelLedger, 'extendCall'> & Pick<EvidenceLedger, 'putAttestation'>;
  budgets: ModelBudgets;
  authority: RelayAuthority;
  prices: PriceList;
  clock: Clock;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  /** Makes the transport one that pays providers which sell calls. */
  wrapTransport?: ((transport: Transport) => Transport) | undefined;
  /** Of the home chain, where this is another: providers, what addresses may use, and what is under way are the same. */
  home?: CallDeps;
  /** Of this chain, until its configuration was read again: what calls know of each other stays known. */
  before?: CallDeps | undefined;
}): CallSetup {
  const { config, ledger, budgets, authority, prices, clock, log } = options;
  const { limits, routes } = config;
  const shared = options.home ? { ...options.home, close: () => Promise.resolve() } : createShared(options);
  const { cache, evidence, router, freeLimit, running } = shared;
  const byModel = new Map(routes.map((route) => [route.model, route]));
  return {
    deps: {
      chainId: config.chain.id,
      ledger,
      routes: byModel,
      chooseRoutes: createRouteChooser({ routes: byModel, rules: config.routing.rules.map(compileRule) }),
      budgets,
      authority,
      router,
      clock,
      limits,
      prices,
      maxUnsettled: createUnsettledBound(config.payment, prices),
      payerScope: createPayerScope(config),
      freeLimit,
      slices: options.before?.slices ?? slicesOf(config, ledger),
      running,
      cache,
      evidence,
      onFinish: (summary) => logCall(log, summary),
      onUnfinished: ({ callId, error }) => {
        log.warn({ callId, error: describeError(error) }, 'a payment could not be finished after its answer');
      },
    },
    closeTransport: () => shared.close(),
  };
}

/** What answers that may be sold again take of the memory. */
const maxCacheBytes = 64 * 2 ** 20;

/** What calls have in common whatever chain they are paid on. */
function createShared({
  before,
  config,
  clock,
  env,
  ledger,
  log,
  wrapTransport = (plain) => plain,
}: Pick<
  Parameters<typeof createCallDeps>[0],
  'before' | 'config' | 'clock' | 'env' | 'ledger' | 'log' | 'wrapTransport'
>) {
  const { limits, routes, routing } = config;
  const providers = config.providers.map((provider) => readProvider(provider, { ...env, ...config.secrets }));
  const { backoff, cooldown, healthChecks, warmUp } = routing;
  const transport = createTransport({
    providers,
    connectTimeoutMs: Math.min(limits.headersTimeoutMs, limits.connectTimeoutMs),
    headersTimeoutMs: limits.headersTimeoutMs,
    idleTimeoutMs: limits.idleTimeoutMs,
    maxConnections: limits.maxConcurrentCalls,
  });
  const health = new DeploymentHealth(
    {
      allowedFails: cooldown.allowedFails,
      restMs: cooldown.seconds * 1_000,
      mostRestMs: cooldown.mostSeconds * 1_000,
      refusedKeyMs: cooldown.refusedKeySeconds * 1_000,
    },
    clock,
  );
  const stopWatching = watchProviders({
    ...{ health, warmUp, probe: (deployment) => transport.probe(deployment) },
    deployments: routes.flatMap(({ deployments }) => deployments),
    intervalMs: healthChecks.probe === 'models' ? healthChecks.intervalSeconds * 1_000 : null,
  });
  const quotes = openQuoteChecker();
  const checkQuote = (ask: QuoteAsk) => quotes.check(ask);
  return {
    router: createRouter({ transport: wrapTransport(transport), clock, health, backoff }),
    evidence: createEvidenceCollector({ evidence: config.evidence, providers, ledger, checkQuote, clock, log }),
    freeLimit: before?.freeLimit ?? createAddressLimits(config.free, () => clock.nowMs()),
    running: before?.running ?? new RunningCalls(),
    // Begun anew with each configuration: what was answered may be answered by others now.
    cache: routes.some((route) => route.cache !== null) ? new AnswerCache({ maxBytes: maxCacheBytes }) : undefined,
    async close() {
      stopWatching();
      await Promise.all([transport.close(), quotes.close()]);
    },
  };
}

function slicesOf({ payment }: RelayConfig, ledger: Pick<ChannelLedger, 'extendCall'>): CallDeps['slices'] {
  const { enabled, outputTokens, waitSeconds } = payment.slices;
  if (!enabled) return undefined;
  return {
    outputTokens,
    waitMs: waitSeconds * 1_000,
    unpaid: new Set(),
    extend: (request) => ledger.extendCall(request),
  };
}

function readProvider(
  { name, baseUrl, apiKeyEnv }: RelayConfig['providers'][number],
  env: Readonly<Record<string, string | undefined>>,
): Provider {
  if (apiKeyEnv === undefined) return { name, baseUrl };
  const apiKey = env[apiKeyEnv]?.trim();
  if (apiKey) return { name, baseUrl, apiKey };
  const message = `The provider "${name}" needs its key in the environment variable ${apiKeyEnv}. Set it, or remove apiKeyEnv.`;
  throw new AutoPayError('invalid_configuration', message);
}

/** A percentage of what a channel is suggested to begin with, whatever the token's price is. */
function createUnsettledBound(
  { maxUnsettledPercent }: RelayConfig['payment'],
  prices: Pick<PriceList, 'tokens' | 'depositIn'>,
): CallDeps['maxUnsettled'] {
  return (address, atMs) => {
    const token = prices.tokens.find((known) => known.address === address);
    const deposit = token && prices.depositIn(token, atMs);
    return ((deposit ?? 0n) * BigInt(maxUnsettledPercent)) / 100n;
  };
}

/** The books hold every call; the log has those that went wrong, and all of them at level debug. */
function logCall(log: Log, { attempts, callId, error, model, outcome, reason, usageFault }: CallSummary): void {
  const tries = attempts.map(({ deployment, outcome: result, status }) => ({ deployment, outcome: result, status }));
  if (usageFault !== undefined) {
    log.warn({ callId, model, usageFault, attempts: tries }, 'a provider told impossible usage; its deployment rests');
  }
  if (outcome === 'charged') return log.debug({ callId, model, attempts: tries }, 'call charged');
  const facts = { callId, model, reason, attempts: tries, ...(error !== undefined && { error: describeError(error) }) };
  if (outcome === 'failed') log.error(facts, 'call failed: the books did not answer');
  else log.info(facts, 'call released, uncharged');
}
