import { EVM_NETWORK_CHAIN_ID_MAP } from '@x402/evm/v1';
import { z } from 'zod';
import type { Hex } from '../protocol/bytes/hex.ts';
import { orUndefined } from '../protocol/errors/or-undefined.ts';
import { decodeBase64UrlJson } from '../protocol/mpp/base64url-json.ts';
import { parseChallenges } from '../protocol/mpp/challenge.ts';
import { chargeRequestSchema, type ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import { addressSchema, amountSchema } from '../protocol/payments/value-schemas.ts';
import { parseJson } from '../protocol/text/parse-json.ts';
import { decodeHeaderJson } from '../protocol/x402/header-json.ts';
import { chainIdOf } from './seller-assets.ts';

/** What a payment of one call is made by. */
export type DirectMethod = 'x402/upto' | 'x402/exact' | 'evm/charge';

/** An offer of a 402 to be paid by a payment of its own. Only what the seller claims. */
export interface Offer {
  method: DirectMethod;
  /** As the seller names it. */
  network: string;
  /** undefined: no EVM chain that has a number here. */
  chainId: number | undefined;
  /** The token's contract. */
  asset: Hex;
  /** Atomic units: what is taken, or with `upto` the most that may be. */
  amount: bigint;
  payTo: Hex;
  transfer: 'eip3009' | 'permit2';
  /** The token's EIP-712 domain, where the offer tells it. */
  domain: { name: string; version: string } | undefined;
  /** How long the payment has to be good for, seconds. */
  validSeconds: number;
  /** What the payment has to echo. */
  source:
    | { version: 1; requirements: X402Requirements }
    | { version: 2; requirements: X402Requirements; resource: unknown }
    | { version: 'mpp'; challenge: ChallengeEcho };
}

/** What a 402 offers. */
export interface Offers {
  offers: readonly Offer[];
  /** Why the seller asks, in its own words; empty if it does not say. */
  reason: string;
}

const requirementsSchema = z.object({
  scheme: z.enum(['exact', 'upto']),
  network: z.string().min(1).max(64),
  asset: addressSchema,
  amount: amountSchema,
  payTo: addressSchema,
  maxTimeoutSeconds: z.number().int().positive().max(31_536_000),
  extra: z.record(z.string(), z.unknown()).nullish(),
});
const domainSchema = z.object({ name: z.string().min(1).max(128), version: z.string().min(1).max(32) });

/** An x402 offer as it came; it is echoed, so nothing of it is changed but the amount. */
export type X402Requirements = Record<string, unknown>;

const requiredSchema = z.object({
  error: z.string().catch(''),
  resource: z.unknown(),
  accepts: z.array(z.record(z.string(), z.unknown())).max(64),
});
const requiredV1Schema = z.object({
  x402Version: z.literal(1),
  error: z.string().catch(''),
  accepts: z.array(z.record(z.string(), z.unknown())).max(64),
});

/** MPP says nothing of it where a challenge does not expire. */
const defaultValidSeconds = 300;

/**
 * Reads what can be paid for directly: x402 version 2 (`PAYMENT-REQUIRED`) or else 1 (the body), and MPP's `evm/charge`. What is not
 * understood is no offer.
 * @param body the answer's, whole.
 */
export function readOffers(headers: Headers, body: Uint8Array): Offers {
  const required = readRequired(headers.get('payment-required'));
  const v1 = requiredV1Schema.safeParse(parseJson(body)).data;
  const inHeader = (required?.accepts ?? []).map((requirements) =>
    readX402(requirements, { version: 2, requirements, resource: required?.resource }),
  );
  const inBody = (v1?.accepts ?? []).map((requirements) =>
    readX402({ ...requirements, amount: requirements['maxAmountRequired'] }, { version: 1, requirements }),
  );
  // A seller may leave offers out of its headers to keep them short; the body then still has those of version 1.
  const offers = [...inHeader, ...inBody, ...readCharges(headers.get('www-authenticate'))].filter(
    (offer) => offer !== undefined,
  );
  return { offers, reason: (required?.error ?? v1?.error ?? '').slice(0, 300) };
}

function readRequired(header: string | null): z.output<typeof requiredSchema> | undefined {
  if (header === null) return undefined;
  return orUndefined(() => requiredSchema.safeParse(decodeHeaderJson('PAYMENT-REQUIRED', header)).data);
}

function readX402(fields: X402Requirements, source: Offer['source']): Offer | undefined {
  const { data } = requirementsSchema.safeParse(fields);
  if (!data) return undefined;
  const { scheme, network, asset, amount, payTo, maxTimeoutSeconds } = data;
  const extra = data.extra ?? {};
  const isPermit2 = scheme === 'upto' || extra['assetTransferMethod'] === 'permit2';
  if (source.version === 1 && isPermit2) return undefined;
  return {
    method: `x402/${scheme}`,
    ...{ network, asset, amount, payTo, source },
    chainId: chainIdOf(network) ?? (source.version === 1 ? chainIdOfV1(network) : undefined),
    transfer: isPermit2 ? 'permit2' : 'eip3009',
    domain: domainSchema.safeParse(extra).data,
    validSeconds: maxTimeoutSeconds,
  };
}

function chainIdOfV1(network: string): number | undefined {
  return Object.entries(EVM_NETWORK_CHAIN_ID_MAP).find(([name]) => name === network)?.[1];
}

function readCharges(header: string | null): (Offer | undefined)[] {
  if (header === null) return [];
  const challenges = orUndefined(() => parseChallenges(header)) ?? [];
  return challenges.filter(({ method, intent }) => method === 'evm' && intent === 'charge').map(readCharge);
}

function readCharge(challenge: ChallengeEcho): Offer | undefined {
  const data = orUndefined(() => chargeRequestSchema.safeParse(decodeBase64UrlJson(challenge.request)).data);
  if (!data) return undefined;
  const { amount, currency, recipient, methodDetails } = data;
  const { chainId, credentialTypes } = methodDetails;
  if (credentialTypes && !credentialTypes.includes('authorization')) return undefined;
  const leftMs = challenge.expires === undefined ? NaN : Date.parse(challenge.expires) - Date.now();
  const validSeconds = Number.isNaN(leftMs) ? defaultValidSeconds : Math.floor(leftMs / 1_000);
  // Whoever takes it would have to refuse the payment, which would count as spent all the same.
  if (validSeconds <= 0) return undefined;
  return {
    method: 'evm/charge',
    network: `eip155:${chainId}`,
    ...{ chainId, asset: currency, amount, payTo: recipient, transfer: 'eip3009', domain: undefined },
    validSeconds,
    source: { version: 'mpp', challenge },
  };
}
