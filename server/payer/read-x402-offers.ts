import { z } from 'zod';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { orUndefined } from '../../protocol/errors/or-undefined.ts';
import { addressSchema, amountSchema } from '../../protocol/payments/value-schemas.ts';
import { decodeHeaderJson, encodeHeaderJson } from '../../protocol/x402/header-json.ts';
import type { PaymentRequired } from './upstream-payer.ts';

/** An offer of the scheme `exact` that is paid by EIP-3009. */
export interface ExactOffer {
  version: 1 | 2;
  /** CAIP-2 (`eip155:8453`), or in v1 also a name (`base`). */
  network: string;
  asset: Hex;
  amount: bigint;
  payTo: Hex;
  /** How long the payment has to be good. */
  maxTimeoutSeconds: number;
  /** The name of the header that carries the payment, and its value. */
  pay: (payload: ExactPayload) => { name: string; value: string };
}

/** `payload` of `exact` with EIP-3009 (x402 v2 and v1, "exact" on EVM). Amounts and times are decimal strings. */
export interface ExactPayload {
  signature: Hex;
  authorization: { from: Hex; to: Hex; value: string; validAfter: string; validBefore: string; nonce: Hex };
}

const common = {
  scheme: z.literal('exact'),
  network: z.string().min(1).max(64),
  asset: addressSchema,
  payTo: addressSchema,
  maxTimeoutSeconds: z.number().int().min(1).max(86_400),
};
const eip3009 = z.object({ assetTransferMethod: z.literal('eip3009').optional() }).nullish();
const offerV2Schema = z.object({ ...common, amount: amountSchema, extra: eip3009 });
const offerV1Schema = z.object({ ...common, maxAmountRequired: amountSchema, extra: eip3009 });
const offersSchema = z.array(z.unknown()).max(64);
const requiredV2Schema = z.object({
  x402Version: z.literal(2),
  accepts: offersSchema,
  resource: z.unknown().optional(),
});
const requiredV1Schema = z.object({ x402Version: z.literal(1), accepts: offersSchema });

/** The `exact` offers of a 402, of v2 (header, or body) or else v1 (body). Offers of other kinds, or malformed, are passed over. */
export function readX402Offers({ headers, body }: PaymentRequired): ExactOffer[] {
  const header = headers['payment-required'];
  const inHeader = header === undefined ? undefined : orUndefined(() => decodeHeaderJson('PAYMENT-REQUIRED', header));
  const v2 = requiredV2Schema.safeParse(inHeader ?? body);
  if (v2.success) return v2.data.accepts.flatMap((offer) => readOfferV2(offer, v2.data.resource));
  const v1 = requiredV1Schema.safeParse(body);
  return v1.success ? v1.data.accepts.flatMap(readOfferV1) : [];
}

function readOfferV2(accepted: unknown, resource: unknown): ExactOffer[] {
  const { data } = offerV2Schema.safeParse(accepted);
  if (!data) return [];
  const { network, asset, amount, payTo, maxTimeoutSeconds } = data;
  const pay = (payload: ExactPayload) => ({
    name: 'payment-signature',
    value: encodeHeaderJson({ x402Version: 2, ...(resource !== undefined && { resource }), accepted, payload }),
  });
  return [{ version: 2, network, asset, amount, payTo, maxTimeoutSeconds, pay }];
}

function readOfferV1(offer: unknown): ExactOffer[] {
  const { data } = offerV1Schema.safeParse(offer);
  if (!data) return [];
  const { scheme, network, asset, maxAmountRequired: amount, payTo, maxTimeoutSeconds } = data;
  const pay = (payload: ExactPayload) => ({
    name: 'x-payment',
    value: encodeHeaderJson({ x402Version: 1, scheme, network, payload }),
  });
  return [{ version: 1, network, asset, amount, payTo, maxTimeoutSeconds, pay }];
}
