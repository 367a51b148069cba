import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { chainOfCredential, chainOfX402 } from './chain-of-payment.ts';
import { nameChain } from './name-chain.ts';
import type { Challenge, ChallengeContext, MethodAdmission, PaymentMethod, PaymentRequest } from './payment-method.ts';
import { buildOffersOn } from './x402/build-offers.ts';
import type { X402Terms } from './x402/x402-terms.ts';

/** The most that a call can cost on a chain, by token: atomic units. */
type Quotes = ReadonlyMap<Hex, bigint>;

/** The ways to pay on one chain. */
export interface ChainPayments {
  chainId: number;
  methods: readonly PaymentMethod[];
  /** What a call would cost; undefined if nothing on this chain can pay for it. */
  quotesOf(request: Pick<PaymentRequest, 'body' | 'headers' | 'path'>): Quotes | undefined;
  /** The terms of x402, whose offers stand in one header with those of the other chains. */
  x402: X402Terms;
}

/**
 * The ways to pay on any of several chains, as if they were one: a payment goes to the chain that it names, and what is offered is
 * what each chain offers, in the order of the chains. What is not of a chain, as a request without payment, is of the home chain.
 *
 * @param chains the home chain first
 */
export function payAcrossChains(chains: readonly [ChainPayments, ...ChainPayments[]]): PaymentMethod[] {
  const [home] = chains;
  return home.methods.map((method) => acrossChains({ chainId: home.chainId, method, payments: home }, chains));
}

/** A method of one chain. */
interface ChainMethod {
  chainId: number;
  method: PaymentMethod;
  payments: ChainPayments;
}

function acrossChains(first: ChainMethod, chains: readonly ChainPayments[]): PaymentMethod {
  const { name } = first.method;
  const onChains = chains.flatMap((payments): ChainMethod[] => {
    const method = payments.methods.find((candidate) => candidate.name === name);
    return method ? [{ chainId: payments.chainId, method, payments }] : [];
  });
  const admitted = new WeakMap<MethodAdmission, { inner: MethodAdmission; method: PaymentMethod }>();

  async function admitOn(chain: ChainMethod, request: PaymentRequest): Promise<MethodAdmission | undefined> {
    const { chainId, method, payments } = chain;
    const inner = await method
      .admit({ ...request, quotes: () => payments.quotesOf(request) })
      .catch((error: unknown) => {
        throw nameChain(error, chainId);
      });
    if (!inner) return undefined;
    const outer: MethodAdmission = { ...inner, chainId };
    admitted.set(outer, { inner, method });
    return outer;
  }

  return {
    name,
    carries: (headers) => onChains.some(({ method }) => method.carries(headers)),
    async admit(request) {
      if (name === 'key') return admitByKey(onChains, request, admitOn);
      const named = name === 'x402' ? chainOfX402(request.headers) : chainOfCredential(request.headers);
      return admitOn(onChains.find(({ chainId }) => chainId === named) ?? first, request);
    },
    challenge(context) {
      const contexts = onChains.map((chain) => ({ ...chain, context: contextOn(context, chain) }));
      if (name === 'x402')
        return buildOffersOn(contexts.map((one) => ({ terms: one.payments.x402, context: one.context })));
      const challenges = contexts.flatMap(({ chainId, method, context: own }) => {
        const challenge = method.challenge(own);
        return challenge ? [{ chainId, challenge }] : [];
      });
      return mergeChallenges(challenges, context.chainId);
    },
    finish(admission, charge) {
      const known = admitted.get(admission);
      if (!known) throw new AutoPayError('internal_error', 'A payment is finished that was not admitted here.');
      return known.method.finish(known.inner, charge);
    },
  };
}

/** A key does not say its chain: the chain that knows it does. */
async function admitByKey(
  chains: readonly ChainMethod[],
  request: PaymentRequest,
  admitOn: (chain: ChainMethod, request: PaymentRequest) => Promise<MethodAdmission | undefined>,
): Promise<MethodAdmission | undefined> {
  let unknown: AutoPayError | undefined;
  for (const chain of chains) {
    try {
      return await admitOn(chain, request);
    } catch (error) {
      if (!(error instanceof AutoPayError) || error.code !== 'invalid_api_key') throw error;
      unknown ??= error;
    }
  }
  if (unknown) throw unknown;
  return undefined;
}

/** What a chain has to know of a 402; the facts of a refused payment are for its own chain. */
function contextOn(context: ChallengeContext, { chainId }: ChainMethod): ChallengeContext {
  const { token, quotesOn, quotes, ...rest } = context;
  const isRefused = chainId === context.chainId;
  return { ...rest, quotes: quotesOn ? quotesOn(chainId) : quotes, ...(isRefused && token !== undefined && { token }) };
}

/**
 * Several challenges of one header, one after the other; the first offer of each is left out after the second of any. The facts are those
 * of the refused payment's chain, else of the first.
 */
function mergeChallenges(
  challenges: readonly { chainId: number; challenge: Challenge }[],
  refusedOn: number | undefined,
): Challenge | undefined {
  const [first] = challenges;
  if (!first) return undefined;
  const main = challenges.find(({ chainId }) => chainId === refusedOn) ?? first;
  return {
    offers: sum(challenges.map(({ challenge }) => challenge.offers)),
    least: challenges.length,
    headers(count) {
      const merged: Record<string, string> = {};
      const shares = shareOut(
        count,
        challenges.map(({ challenge }) => challenge.offers),
      );
      for (const [index, { challenge }] of challenges.entries()) {
        const taken = shares[index] ?? 0;
        if (taken === 0) continue;
        for (const [name, value] of Object.entries(challenge.headers(taken))) {
          const before = merged[name];
          merged[name] = before === undefined ? value : `${before}, ${value}`;
        }
      }
      return merged;
    },
    facts: main.challenge.facts,
  };
}

/** How many each gets of a number, one after the other in turn, up to what it has. */
function shareOut(count: number, has: readonly number[]): number[] {
  const shares = has.map(() => 0);
  for (let left = Math.min(count, sum(has)); left > 0;) {
    for (const [index, most] of has.entries()) {
      const share = shares[index] ?? 0;
      if (left === 0 || share === most) continue;
      shares[index] = share + 1;
      left -= 1;
    }
  }
  return shares;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
