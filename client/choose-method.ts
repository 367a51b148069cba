import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { DirectMethod, Offer } from './read-offers.ts';

/** A way to pay a relay, named as in `Accept-Payment`. */
export type PaymentMethod = 'evm/session' | DirectMethod;

/** What the choice depends on. Amounts are atomic units of the wallet's token. */
export interface MethodFacts {
  /** The wallet has an open channel with the relay, but the owner prefers something else. */
  hasChannel: boolean;
  /** Whether the relay offers channels for this call. */
  hasSessionOffer: boolean;
  /** The payments of their own that it offers, in the wallet's token. */
  offers: readonly Offer[];
  /** What the wallet has; undefined without a chain to ask. */
  funds: { wei: bigint; balance: bigint; permit2Allowance: bigint } | undefined;
  /** The most that the call can cost. */
  quote: bigint;
  /** The least that the relay serves the call for. */
  minimum: bigint;
  /** What a new channel would be opened with. */
  deposit: bigint;
  /** The owner's choice: these only, in this order. */
  methods: readonly PaymentMethod[] | undefined;
}

/** A way to pay for one call; `offer` is null for a channel, which has to be opened first. */
export type MethodChoice = { method: 'evm/session'; offer: null } | { method: DirectMethod; offer: Offer };

/**
 * The order where the owner names none. By all of them a call costs what it is metered at, in the end; they differ in what they cost besides:
 *
 * 1. A channel that is open costs nothing besides, and waits for no block. (Where there is one, nothing is chosen: the caller uses it.)
 * 2. `upto`: nothing besides either, where Permit2 may take the token already; a JSON answer waits for its block.
 * 3. A new channel: gas of two transactions, once, and a deposit, which its owner can always get back without the relay.
 * 4. `exact`, 5. `evm/charge`: no gas, but the whole quote is taken, and what the call did not cost comes back only when the relay books.
 */
const byCost: readonly PaymentMethod[] = ['x402/upto', 'evm/session', 'x402/exact', 'evm/charge'];

/**
 * Chooses how to pay for a call where the wallet has no open channel, or its owner names another way first.
 * @throws AutoPayError `no_usable_method`, with what stands against each.
 */
export function chooseMethod(facts: MethodFacts): MethodChoice {
  const against: string[] = [];
  for (const method of facts.methods ?? byCost) {
    const obstacle = method === 'evm/session' ? obstacleToOpening(facts) : obstacleTo(method, facts);
    if (typeof obstacle === 'string') against.push(`${method}: ${obstacle}`);
    else return obstacle;
  }
  // Opening says by itself, and more exactly, what it lacks.
  if (facts.hasSessionOffer && (facts.methods ?? byCost).includes('evm/session'))
    return { method: 'evm/session', offer: null };
  throw new AutoPayError(
    'no_usable_method',
    `This wallet can pay for the call in no way that the relay offers. ${against.join('; ')}. Nothing was signed.`,
  );
}

function obstacleToOpening(facts: MethodFacts): string | MethodChoice {
  const { hasChannel, hasSessionOffer, funds, deposit, minimum } = facts;
  if (!hasSessionOffer) return 'not offered in this token';
  if (hasChannel) return { method: 'evm/session', offer: null };
  if (!funds) return 'no chain is known on which to open a channel (give rpcUrl)';
  if (funds.wei === 0n) return 'the wallet has no ether for the gas of opening a channel';
  if (funds.balance < deposit) return 'the wallet has less than the deposit of a channel';
  if (deposit < minimum) return 'the deposit that the limits allow is too small for this call';
  return { method: 'evm/session', offer: null };
}

function obstacleTo(method: DirectMethod, { offers, funds, quote, methods }: MethodFacts): string | MethodChoice {
  const offer = offers.find((candidate) => candidate.method === method);
  if (!offer) return 'not offered in this token';
  if (funds && funds.balance < quote) return 'the wallet has less than the call may cost';
  if (offer.transfer === 'permit2') {
    if (funds && funds.permit2Allowance < quote) return 'Permit2 may not take the token (approve it once)';
    // Unknown without a chain; an owner who asks for it knows.
    if (!funds && methods === undefined)
      return 'whether Permit2 may take the token is not known without a chain (give rpcUrl)';
  }
  return { method, offer };
}
