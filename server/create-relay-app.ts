import type { RequestListener } from 'node:http';
import express from 'express';
import type { Hex } from '../protocol/bytes/hex.ts';
import { createApp, type AppDeps } from './app.ts';
import type { Background } from './background.ts';
import { handleAcrossChains } from './call-across-chains.ts';
import { serveCall } from './call/cache/serve-call.ts';
import type { ConfigState } from './config/create-reloader.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { SellingChain, SellingChains } from './create-calls.ts';
import type { AuditRouterDeps } from './http/audit/create-audit-router.ts';
import { describeModels } from './http/describe-models.ts';
import type { Route } from './call/types.ts';
import { listAnswering } from './routing/list-answering.ts';
import { payAcrossChains } from './payments/across-chains.ts';

/** What the HTTP side of a relay has besides its chains. */
export interface RelayAppOptions extends Pick<
  AppDeps,
  | 'auditLog'
  | 'gate'
  | 'log'
  | 'blocks'
  | 'operatorToken'
  | 'maxBodyBytes'
  | 'trustedProxies'
  | 'purchases'
  | 'webhooks'
> {
  /** What can be asked about the log, and about the calls of all chains. */
  audit: Pick<AuditRouterDeps, 'ledger' | 'log' | 'queries'>;
  /** The relay's account. */
  relay: Hex;
  /** Unix milliseconds. */
  nowMs: () => number;
  /** What the relay buys, for its health. */
  purchasing: () => object;
  /** Who keeps the blocks of its log, for its health. */
  ipfs: () => object;
  /** Who cosigns the log, for its health. */
  witnesses: () => object;
  /** Of the files that say what is sold. */
  configuration: () => ConfigState;
}

/**
 * The relay's HTTP side. At the root it takes payment on every chain, and speaks of the home chain otherwise. Where there are several
 * chains, `/chains/<id>` is the same relay as if it knew that chain only: its offers, prices, keys, jobs and health. A client that
 * knows one chain needs nothing but that address.
 *
 * @param chains those that can be reached, the home chain first
 */
export function createRelayApp(chains: SellingChains, options: RelayAppOptions): RequestListener {
  const [home] = chains;
  if (home.config.chains.length === 1) return createApp(appOfChain(home, options));
  const app = createApp({ ...appOfChain(home, options), ...appAcrossChains(chains, options) });
  const root = express();
  root.disable('x-powered-by').disable('etag').set('query parser', false);
  for (const chain of chains) root.use(`/chains/${chain.chainId}`, createApp(appOfChain(chain, options)));
  root.use(app);
  return (request, response) => (request.url?.startsWith('/v1/') ? app : root)(request, response);
}

/** A relay on one chain. */
function appOfChain(chain: SellingChain, options: RelayAppOptions): AppDeps {
  const { background, config, deps, ledger, payments, prices, selling } = chain;
  const { relay, nowMs, configuration, purchasing, ipfs, witnesses, ...rest } = options;
  return {
    ...rest,
    payments: payments.methods,
    handleCall: (request, sink) => serveCall(deps, request, sink),
    quotesOf: (request) => selling.quotesOf(request),
    keys: payments.keys,
    audit: { ...options.audit, chainId: chain.chainId, showsAllChains: config.chains.length === 1 },
    models: describeModels({ routes: deps.routes, prices: prices.list, answeredBy: namesAnswering(chain), nowMs }),
    health: () => ({
      ...{ relay, ...describeTerms(config), ...describeState(background) },
      ...{ configuration: configuration(), purchasing: purchasing(), ipfs: ipfs(), witnesses: witnesses() },
    }),
    ledger,
    runJob: (name) => background.runJob(name),
  };
}

/** Which models may answer for a route, so that a wallet knows what its receipts may be for. */
function namesAnswering({ config, deps }: SellingChain): (route: Route) => readonly string[] {
  const { rules } = config.routing;
  return (route) => listAnswering(route, { routes: deps.routes, rules });
}

/** What is different where payments of all chains come in. */
function appAcrossChains(
  chains: SellingChains,
  { audit, relay, configuration, purchasing, ipfs, witnesses }: RelayAppOptions,
): Partial<AppDeps> {
  const [home] = chains;
  const onChain = (chainId: number) => chains.find((chain) => chain.chainId === chainId);
  return {
    audit: { ...audit, chainId: home.chainId, showsAllChains: true },
    payments: payAcrossChains([home.selling, ...chains.slice(1).map(({ selling }) => selling)]),
    handleCall: handleAcrossChains(chains),
    quotesOn: (chainId, request) => onChain(chainId)?.selling.quotesOf(request),
    health: () => ({
      ...{ relay, ...describeTerms(home.config), ...describeState(home.background) },
      ...{ configuration: configuration(), purchasing: purchasing(), ipfs: ipfs(), witnesses: witnesses() },
      chains: chains.map(({ config, background }) => ({ ...describeTerms(config), ...describeState(background) })),
    }),
    ledger: {
      ...home.ledger,
      async getPayment(paymentId) {
        const found = await Promise.all(chains.map(({ ledger }) => ledger.getPayment(paymentId)));
        return found.find((payment) => payment !== undefined);
      },
    },
    async runJob(name) {
      const runs = chains.map(async ({ chainId, background }) => [chainId, await background.runJob(name)] as const);
      const settled = await Promise.allSettled(runs);
      // Each chain's is done, whatever another chain's did.
      for (const result of settled) if (result.status === 'rejected') throw result.reason;
      const results = await Promise.all(runs);
      return { ...results[0]?.[1], chains: Object.fromEntries(results) };
    },
  };
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
