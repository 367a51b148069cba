import type { RequestHandler } from 'express';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isCallId } from '../../protocol/receipt/call-id.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { requireOperator } from './require-operator.ts';

/**
 * `GET /v1/audit/receipts/{callId}`, for the operator: `{callId, signedReceipt, receipt}`; `signedReceipt` is the value of
 * `x-autopay-receipt` with its salts, `receipt` the same decoded, amounts as decimal strings.
 *
 * @throws AutoPayError `forbidden`, `not_found`
 */
export function createReceiptHandler(deps: {
  ledger: Pick<Ledger, 'getSignedReceipt'>;
  operatorToken: string;
}): RequestHandler<{ callId: string }> {
  return async (request, response) => {
    requireOperator(request, deps.operatorToken);
    const { callId } = request.params;
    const signed = isCallId(callId) ? await deps.ledger.getSignedReceipt(callId) : undefined;
    if (!signed)
      throw new AutoPayError('not_found', 'There is no receipt of a call with this id.', { param: 'callId' });
    const receipt = decodeReceipt(signed.entry);
    const body = { callId, signedReceipt: encodeSignedReceipt(signed), receipt };
    response
      .setHeader('cache-control', 'no-store')
      .type('application/json')
      .send(JSON.stringify(body, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
  };
}
