import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { RunningCalls } from './call/running-calls.ts';
import type { CallDeps, CallSummary, Clock, ModelBudgets, RelayAuthority } from './call/types.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { ChannelLedger } from './ledger/channel-ledger.ts';
import type { Ledger } from './ledger/ledger.ts';
import { describeError, type Log } from './log.ts';
import type { PriceList } from './metering/price-list.ts';
import { createAddressLimits } from './payments/free/address-limits.ts';
import { createTransport, type Provider } from './providers/openai-compatible.ts';
import { createRouter } from './routing/create-router.ts';

/** What the life of a call works with, and what has to be closed after the last one. */
export interface CallSetup {
  deps: CallDeps;
  closeTransport(): Promise<void>;
}

const maxConnectTimeoutMs = 10_000;

/**
 * Wires routes and providers of a configuration.
 *
 * @param options.env where provider keys are
 * @throws AutoPayError `invalid_configuration` if a provider's key is not set
 */
export function createCallDeps(options: {
  config: RelayConfig;
  ledger: Ledger & Pick<ChannelLedger, 'extendCall'>;
  budgets: ModelBudgets;
  authority: RelayAuthority;
  prices: PriceList;
  clock: Clock;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
}): CallSetup {
  const { config, ledger, budgets, authority, prices, clock, log, env } = options;
  const { limits, routes } = config;
  const transport = createTransport({
    providers: config.providers.map((provider) => readProvider(provider, env)),
    connectTimeoutMs: Math.min(limits.headersTimeoutMs, maxConnectTimeoutMs),
    headersTimeoutMs: limits.headersTimeoutMs,
    idleTimeoutMs: limits.idleTimeoutMs,
    maxConnections: limits.maxConcurrentCalls,
  });
  return {
    deps: {
      ledger,
      routes: new Map(routes.map((route) => [route.model, route])),
      budgets,
      authority,
      router: createRouter({ transport, clock }),
      clock,
      limits,
      prices,
      freeLimit: createAddressLimits(config.free, () => clock.nowMs()),
      slices: slicesOf(config, ledger),
      running: new RunningCalls(),
      onFinish: (summary) => logCall(log, summary),
      onUnfinished: ({ callId, error }) => {
        log.warn({ callId, error: describeError(error) }, 'a payment could not be finished after its answer');
      },
    },
    closeTransport: () => transport.close(),
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

/** The books hold every call; the log has those that went wrong, and all of them at level debug. */
function logCall(log: Log, { attempts, callId, error, model, outcome, reason }: CallSummary): void {
  const tries = attempts.map(({ deployment, outcome: result, status }) => ({ deployment, outcome: result, status }));
  if (outcome === 'charged') return log.debug({ callId, model, attempts: tries }, 'call charged');
  const facts = { callId, model, reason, attempts: tries, ...(error !== undefined && { error: describeError(error) }) };
  if (outcome === 'failed') log.error(facts, 'call failed: the books did not answer');
  else log.info(facts, 'call released, uncharged');
}
