import { z } from 'zod';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { orUndefined } from '../../protocol/errors/or-undefined.ts';
import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { bytes32Schema } from '../../protocol/payments/value-schemas.ts';
import { decodeHeaderJson } from '../../protocol/x402/header-json.ts';
import type { UpstreamResponse } from '../call/transport.ts';

const x402Schema = z.object({ success: z.literal(true), transaction: bytes32Schema });
const mppSchema = z.object({ status: z.literal('success'), reference: bytes32Schema });

/**
 * The transaction by which the seller says to have taken the payment: of `PAYMENT-RESPONSE` (x402 v2), `X-PAYMENT-RESPONSE` (v1) or
 * `Payment-Receipt` (MPP). Undefined if it says nothing, or that there was none.
 */
export function readSettlement(headers: UpstreamResponse['headers']): Hex | undefined {
  const response = headers['payment-response'] ?? headers['x-payment-response'];
  const receipt = headers['payment-receipt'];
  const x402 = x402Schema.safeParse(orUndefined(() => response && decodeHeaderJson('PAYMENT-RESPONSE', response)));
  if (x402.success) return x402.data.transaction;
  return mppSchema.safeParse(orUndefined(() => receipt && decodeBase64UrlJson(receipt))).data?.reference;
}
