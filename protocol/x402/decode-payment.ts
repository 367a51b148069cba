import { type z } from 'zod';
import { toHex, type Hex } from '../bytes/hex.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { decodeHeaderJson } from './header-json.ts';
import {
  eip3009PayloadSchema,
  paymentPayloadV1Schema,
  paymentPayloadV2Schema,
  permit2ExactPayloadSchema,
  permit2UptoPayloadSchema,
} from './payment-schemas.ts';

/** What a payer signed, whichever scheme carried it. Nothing of it is verified yet. */
export interface SignedPayment {
  kind: 'eip3009' | 'permit2-exact' | 'permit2-upto';
  payer: Hex;
  /** Null where x402 v1 does not say it: only the signature tells. */
  token: Hex | null;
  recipient: Hex;
  /** Atomic units: what is taken (EIP-3009, Permit2 exact), or the most that may be. */
  maximum: bigint;
  /** Unix seconds. */
  validAfter: bigint;
  /** Unix seconds; a Permit2 deadline still holds in its own second, an EIP-3009 authorization does not. */
  validBefore: bigint;
  /** 32 bytes. */
  nonce: Hex;
  signature: Hex;
  /** The Permit2 spender; null with EIP-3009. */
  spender: Hex | null;
  /** Who alone may settle an `upto` payment; null with the others. */
  facilitator: Hex | null;
}

/** A payment as an x402 header carries it. */
export interface X402Payment {
  version: 1 | 2;
  scheme: 'exact' | 'upto';
  network: string;
  /** The offer that the client says it accepts; null in v1. */
  accepted: { asset: Hex; amount: bigint; payTo: Hex } | null;
  signed: SignedPayment;
}

/**
 * Decodes `PAYMENT-SIGNATURE` (v2) or `X-PAYMENT` (v1, and v2 by clients that confuse the two).
 * @throws AutoPayError `malformed_credential`, with the member that is wrong
 */
export function decodePayment(header: string, encoded: string): X402Payment {
  const json = decodeHeaderJson(header, encoded);
  const version = (json as { x402Version?: unknown } | null)?.x402Version;
  if (version === 1) {
    const { scheme, network, payload } = parse(header, paymentPayloadV1Schema, json);
    if (scheme !== 'exact') throw malformed(header, 'x402 v1 has the scheme exact only');
    return { version, scheme, network, accepted: null, signed: readEip3009(header, payload, null) };
  }
  const { accepted, payload } = parse(header, paymentPayloadV2Schema, json);
  const { scheme, network, asset, amount, payTo } = accepted;
  const signed = readPayload(header, scheme, payload, asset);
  return { version: 2, scheme, network, accepted: { asset, amount, payTo }, signed };
}

function readPayload(header: string, scheme: X402Payment['scheme'], payload: object, asset: Hex): SignedPayment {
  if (scheme === 'upto') {
    const { signature, permit2Authorization } = parse(header, permit2UptoPayloadSchema, payload);
    const { facilitator } = permit2Authorization.witness;
    return { kind: 'permit2-upto', ...readPermit2(permit2Authorization), signature, facilitator };
  }
  if ('permit2Authorization' in payload) {
    const { signature, permit2Authorization } = parse(header, permit2ExactPayloadSchema, payload);
    return { kind: 'permit2-exact', ...readPermit2(permit2Authorization), signature, facilitator: null };
  }
  return readEip3009(header, payload, asset);
}

function readEip3009(header: string, payload: object, token: Hex | null): SignedPayment {
  const { authorization, signature } = parse(header, eip3009PayloadSchema, payload);
  const { from: payer, to: recipient, value: maximum, validAfter, validBefore, nonce } = authorization;
  const times = { validAfter, validBefore };
  return {
    ...{ kind: 'eip3009', payer, token, recipient, maximum, nonce, signature, spender: null, facilitator: null },
    ...times,
  };
}

function readPermit2(authorization: z.output<typeof permit2ExactPayloadSchema>['permit2Authorization']) {
  const { from: payer, permitted, spender, nonce, deadline, witness } = authorization;
  return {
    payer,
    token: permitted.token,
    recipient: witness.to,
    maximum: permitted.amount,
    validAfter: witness.validAfter,
    validBefore: deadline,
    nonce: toHex(Buffer.from(nonce.toString(16).padStart(64, '0'), 'hex')),
    spender,
  };
}

function parse<T>(header: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw malformed(header, `${issue?.path.join('.') || 'the object'}: ${issue?.message ?? 'is not as specified'}`);
}

function malformed(header: string, what: string): AutoPayError {
  const message = `${header} is not an x402 payment (${what}). Sign one of the offers in PAYMENT-REQUIRED.`;
  return new AutoPayError('malformed_credential', message.slice(0, 400));
}
