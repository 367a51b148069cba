import { z } from 'zod';
import { orUndefined } from '../protocol/errors/or-undefined.ts';
import { decodeBase64UrlJson } from '../protocol/mpp/base64url-json.ts';
import { amountSchema } from '../protocol/payments/value-schemas.ts';
import { decodeHeaderJson } from '../protocol/x402/header-json.ts';

/** What a seller says of the settlement of a payment. Only its word. */
export interface Settlement {
  isSuccess: boolean;
  /** The hash; null where nothing had to be taken, or none is named. */
  transaction: string | null;
  /** What was taken, atomic units; undefined if it does not say. */
  amount: bigint | undefined;
  /** Why it failed; empty otherwise. */
  reason: string;
}

const settleSchema = z.object({
  success: z.boolean(),
  transaction: z.string().max(128).catch(''),
  amount: amountSchema.optional().catch(undefined),
  errorReason: z.string().max(300).catch(''),
});
const receiptSchema = z.object({
  status: z.string().max(32),
  reference: z.string().max(128).catch(''),
  amount: amountSchema.optional().catch(undefined),
});

/** Reads `PAYMENT-RESPONSE` (x402), its name in version 1, or `Payment-Receipt` (MPP); undefined if there is none that is understood. */
export function readSettlement(headers: Headers): Settlement | undefined {
  const x402 = headers.get('payment-response') ?? headers.get('x-payment-response');
  if (x402 !== null) {
    const data = settleSchema.safeParse(orUndefined(() => decodeHeaderJson('PAYMENT-RESPONSE', x402))).data;
    return data && describe(data.success, data.transaction, data.amount, data.errorReason);
  }
  const mpp = headers.get('payment-receipt');
  const data = mpp === null ? undefined : receiptSchema.safeParse(orUndefined(() => decodeBase64UrlJson(mpp))).data;
  return data && describe(data.status === 'success', data.reference, data.amount, '');
}

function describe(isSuccess: boolean, hash: string, amount: bigint | undefined, reason: string): Settlement {
  return { isSuccess, transaction: hash === '' ? null : hash, amount, reason };
}
