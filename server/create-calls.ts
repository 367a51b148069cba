import { quotesOf, type ChainCalls } from './call-across-chains.ts';
import type { Transport } from './call/transport.ts';
import type { Clock } from './call/types.ts';
import { createCallDeps } from './create-call-deps.ts';
import type { Log } from './log.ts';
import type { RelayChain } from './open-chain.ts';
import type { RelayChains } from './open-chains.ts';
import type { ChainPayments } from './payments/across-chains.ts';

/** A chain with its calls and the ways to pay there. */
export interface SellingChain extends RelayChain, ChainCalls {
  selling: ChainPayments;
}

/** The chains of a relay that sells, the home chain first. */
export type SellingChains = readonly [SellingChain, ...SellingChain[]];

/** What calls are wired with. */
export interface CallsOptions {
  clock: Clock;
  log: Log;
  /** Where provider keys are. */
  env: Readonly<Record<string, string | undefined>>;
  /** Makes the transport one that pays providers which sell calls. */
  wrapTransport?: (transport: Transport) => Transport;
  /** The chains before the configuration was read again: what calls know of each other stays known. */
  before?: SellingChains;
}

/**
 * Wires the calls on each chain. Routes, providers and what one address may use are of all chains together; prices, budgets and books
 * are those of the chain that a call is paid on.
 *
 * @throws AutoPayError `invalid_configuration` if a provider's key is not set
 */
export function createCalls(
  [first, ...others]: RelayChains,
  { before, ...options }: CallsOptions,
): { chains: SellingChains; closeTransport: () => Promise<void> } {
  const depsOf = ({ chainId, config, ledger, background, prices }: RelayChain) => ({
    ...{ ...options, config, ledger, prices: prices.list },
    ...{ authority: background.authority, budgets: background.budgets },
    before: before?.find((chain) => chain.chainId === chainId)?.deps,
  });
  const setup = createCallDeps(depsOf(first));
  const { deps: home } = setup;
  return {
    chains: [
      sellOn(first, home),
      ...others.map((chain) => sellOn(chain, createCallDeps({ ...depsOf(chain), home }).deps)),
    ],
    closeTransport: () => setup.closeTransport(),
  };
}

function sellOn(chain: RelayChain, deps: ChainCalls['deps']): SellingChain {
  const { chainId, payments, x402 } = chain;
  const quotes = (request: Parameters<ChainPayments['quotesOf']>[0]) => quotesOf(deps, request);
  return { ...chain, deps, selling: { chainId, methods: payments.methods, quotesOf: quotes, x402: x402.terms } };
}
