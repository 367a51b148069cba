import { ExactEvmScheme } from '@x402/evm/exact/client';
import { UptoEvmScheme } from '@x402/evm/upto/client';
import { privateKeyToAccount } from 'viem/accounts';
import { z } from 'zod';
import { fromHex, toHex, type Hex } from '../protocol/bytes/hex.ts';
import { parsePrivateKey, signDigest } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { formatCredential } from '../protocol/mpp/credential.ts';
import type { ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import { paymentIdOf } from '../protocol/payments/payment-id.ts';
import { challengeNonce, transferAuthorizationDigest } from '../protocol/typed-data/authorization.ts';
import { permit2Address } from '../protocol/x402/addresses.ts';
import { encodeHeaderJson } from '../protocol/x402/header-json.ts';
import type { Offer } from './read-offers.ts';

/** A payment that may now be sent. It moves the token to `payTo` and nowhere else, once, for whoever brings it to the chain. */
export interface SignedOffer {
  /** What the request has to carry. */
  headers: Record<string, string>;
  /** docs/PROTOCOL.md, `paymentId`. */
  paymentId: Hex;
  /** Unix seconds. */
  validBefore: number;
}

/** What an offer is signed with. */
export interface OfferSigning {
  /** 0x-hex of the payer's key. */
  privateKey: Hex;
  /** Atomic units; at most what the wallet may spend. */
  amount: bigint;
  /** The longest that the payment may be good for, seconds. */
  mostSeconds: number;
}

const eip3009Schema = z.object({ authorization: z.object({ nonce: z.string(), validBefore: z.string() }) });
const permit2Schema = z.object({ permit2Authorization: z.object({ nonce: z.string(), deadline: z.string() }) });

/**
 * Signs an offer. The caller MUST have held it to what the owner allows, and MUST make the payment durable before it is sent.
 * @throws AutoPayError `payment_invalid` for an offer in whose token nothing can be signed.
 */
export async function signOffer(offer: Offer, signing: OfferSigning): Promise<SignedOffer> {
  const { source } = offer;
  const seconds = Math.min(offer.validSeconds, signing.mostSeconds);
  if (source.version === 'mpp') return signCharge(offer, { ...signing, seconds, challenge: source.challenge });
  const requirements = {
    scheme: offer.method === 'x402/upto' ? 'upto' : 'exact',
    network: `eip155:${chainOf(offer)}` as const,
    ...{ asset: offer.asset, amount: signing.amount.toString(), payTo: offer.payTo, maxTimeoutSeconds: seconds },
    extra: { ...readExtra(source.requirements), ...offer.domain },
  };
  const account = privateKeyToAccount(signing.privateKey);
  const scheme = offer.method === 'x402/upto' ? new UptoEvmScheme(account) : new ExactEvmScheme(account);
  if (offer.transfer === 'eip3009') domainOf(offer);
  const { payload } = await scheme.createPaymentPayload(source.version, requirements);
  return {
    headers: headersOf(offer, { payload, amount: signing.amount }),
    ...identify(offer, payload, account.address),
  };
}

function headersOf(offer: Offer, { payload, amount }: { payload: unknown; amount: bigint }): Record<string, string> {
  const { source, network } = offer;
  if (source.version === 1)
    return { 'X-PAYMENT': encodeHeaderJson({ x402Version: 1, scheme: 'exact', network, payload }) };
  if (source.version === 'mpp') return {};
  const accepted = { ...source.requirements, amount: amount.toString() };
  const { resource } = source;
  return { 'PAYMENT-SIGNATURE': encodeHeaderJson({ x402Version: 2, resource, accepted, payload }) };
}

function identify(offer: Offer, payload: unknown, address: string): Pick<SignedOffer, 'paymentId' | 'validBefore'> {
  const payer = address.toLowerCase() as Hex;
  if (offer.transfer === 'eip3009') {
    const { nonce, validBefore } = eip3009Schema.parse(payload).authorization;
    const identity = { kind: 'eip3009', contract: offer.asset, payer, nonce: nonce as Hex } as const;
    return { paymentId: paymentIdOf(identity), validBefore: Number(validBefore) };
  }
  const { nonce, deadline } = permit2Schema.parse(payload).permit2Authorization;
  const padded = `0x${BigInt(nonce).toString(16).padStart(64, '0')}` as const;
  const kind = offer.method === 'x402/upto' ? 'permit2-upto' : 'permit2-exact';
  return {
    paymentId: paymentIdOf({ kind, contract: permit2Address, payer, nonce: padded }),
    validBefore: Number(deadline),
  };
}

/** MPP EVM charge draft, "Credential": an EIP-3009 authorization whose nonce binds it to the challenge. */
function signCharge(
  offer: Offer,
  { privateKey, amount, seconds, challenge }: OfferSigning & { seconds: number; challenge: ChallengeEcho },
): SignedOffer {
  const from = privateKeyToAccount(privateKey).address.toLowerCase() as Hex;
  const validBefore = Math.floor(Date.now() / 1_000) + seconds;
  const nonce = challengeNonce(challenge);
  const message = { from, to: offer.payTo, value: amount, validAfter: 0n, validBefore: BigInt(validBefore), nonce };
  const domain = { ...domainOf(offer), chainId: chainOf(offer), verifyingContract: offer.asset };
  const signature = toHex(signDigest(transferAuthorizationDigest(domain, message), parsePrivateKey(privateKey)));
  const fields = Object.fromEntries(Object.entries(message).map(([name, field]) => [name, field.toString()]));
  const payload = { type: 'authorization', ...fields, signature };
  return {
    headers: {
      authorization: formatCredential({ challenge, source: `did:pkh:eip155:${domain.chainId}:${from}`, payload }),
    },
    paymentId: paymentIdOf({ kind: 'eip3009', contract: offer.asset, payer: from, nonce: toHex(fromHex(nonce, 32)) }),
    validBefore,
  };
}

function readExtra(requirements: Record<string, unknown>): Record<string, unknown> {
  const { extra } = requirements;
  return typeof extra === 'object' && extra !== null ? { ...extra } : {};
}

function chainOf({ chainId, network }: Offer): number {
  if (chainId !== undefined) return chainId;
  throw new AutoPayError(
    'payment_invalid',
    `The offer is on ${network}, which is no chain that this wallet can sign for.`,
  );
}

function domainOf({ domain, asset }: Offer): { name: string; version: string } {
  if (domain) return domain;
  throw new AutoPayError(
    'payment_invalid',
    `Nobody says in which EIP-712 domain ${asset} takes signatures. Give its name and version in the allow-list of assets.`,
  );
}
