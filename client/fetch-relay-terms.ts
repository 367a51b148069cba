import { z } from 'zod';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { addressSchema } from '../protocol/payments/value-schemas.ts';
import type { TokenUnit } from './token-amount.ts';

/** A token that a relay takes. */
export interface PayToken extends TokenUnit {
  address: Hex;
}

/** Whom a relay wants to be paid, where, and in what it can be. */
export interface RelayOffer {
  chainId: number;
  /** The PaymentChannels contract. */
  escrow: Hex;
  /** The AutoPayLLM contract: payee of the channels, and scope of the receipts' signatures. */
  payee: Hex;
  /** The PriceOracle contract, which converts prices in US dollars. */
  priceOracle: Hex;
  /** The PriceBook contract, which has the price tables that are in force. */
  priceBook: Hex;
  /** The KeyRegistry contract, which has the keys that sign receipts. */
  keyRegistry: Hex;
  /** The default first; at least one. */
  tokens: readonly PayToken[];
  /** The address that signs the relay's receipts. */
  relay: Hex;
}

/** The terms between a wallet and a relay: its offer, with the token that the wallet pays in. */
export interface RelayTerms extends Omit<RelayOffer, 'tokens'> {
  token: PayToken;
}

const healthSchema = z.object({
  relay: addressSchema,
  chainId: z.number().int().positive(),
  contracts: z.object({
    paymentChannels: addressSchema,
    autoPayLLM: addressSchema,
    priceOracle: addressSchema,
    priceBook: addressSchema,
    keyRegistry: addressSchema,
  }),
  tokens: z
    .array(
      z.object({
        symbol: z.string().min(1).max(16),
        address: addressSchema,
        decimals: z.number().int().min(0).max(30),
      }),
    )
    .min(1)
    .max(8),
});

/**
 * Asks a relay what it wants to be paid (`GET /healthz`). These are the relay's own words: see `pinTerms`.
 * @throws AutoPayError `invalid_configuration` if this is no AutoPayLLM relay; what `fetch` throws if nothing answers.
 */
export async function fetchRelayTerms(options: { relayUrl: string; fetch: typeof fetch }): Promise<RelayOffer> {
  const response = await options.fetch(`${options.relayUrl}/healthz`, { redirect: 'error' });
  const parsed = healthSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) {
    throw new AutoPayError(
      'invalid_configuration',
      `${options.relayUrl} does not answer like an AutoPayLLM relay. Check the URL.`,
      // What fails now may be a relay at other times.
      { facts: { isOtherService: response.status < 500 }, cause: parsed.error },
    );
  }
  const { relay, chainId, contracts, tokens } = parsed.data;
  const { paymentChannels: escrow, autoPayLLM: payee, priceOracle, priceBook, keyRegistry } = contracts;
  return { relay, chainId, escrow, payee, priceOracle, priceBook, keyRegistry, tokens };
}

/** What the wallet's owner said, or what earlier channels remember, about a relay; each field is optional. */
export interface PinnedTerms {
  chainId?: number | undefined;
  escrow?: Hex | undefined;
  payee?: Hex | undefined;
  priceOracle?: Hex | undefined;
  priceBook?: Hex | undefined;
  keyRegistry?: Hex | undefined;
  /** Of the token that the wallet pays in. */
  tokenDecimals?: number | undefined;
}

/**
 * Holds a relay to terms that were known before. Without this, whoever takes a relay's address over could name an escrow
 * of its own and be sent a deposit, or an oracle and decimals of its own and be paid many times the price.
 * @param terms.token what the wallet pays in, once that is chosen
 * @throws AutoPayError `challenge_invalid` on the first difference.
 */
export function pinTerms(terms: Omit<RelayTerms, 'token'> & { token?: PayToken }, pinned: PinnedTerms): void {
  const pairs = [
    ['chain', pinned.chainId, terms.chainId],
    ['payment channels contract', pinned.escrow, terms.escrow],
    ['payee', pinned.payee, terms.payee],
    ['price oracle', pinned.priceOracle, terms.priceOracle],
    ['price book', pinned.priceBook, terms.priceBook],
    ['key registry', pinned.keyRegistry, terms.keyRegistry],
    ['number of decimals', terms.token && pinned.tokenDecimals, terms.token?.decimals],
  ] as const;
  for (const [what, expected, actual] of pairs) {
    if (expected !== undefined && String(expected).toLowerCase() !== String(actual)) {
      throw new AutoPayError(
        'challenge_invalid',
        `The relay names another ${what} (${actual}) than is known here (${expected}). Nothing was signed. If its operator ` +
          'has announced the change, use a new state folder.',
      );
    }
  }
}
