import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { WebhookDelivery } from '../ledger/webhook-ledger.ts';

/**
 * The message about a receipt: the same bytes and id at every try. `data` has its position in the log, the chain that it is signed
 * for, the receipt (amounts as decimal strings) and the same as it was signed, without its salts: who gets it can check it, and can
 * open neither request nor answer.
 */
export function describeReceipt({
  index,
  callId,
  chainId,
  signed,
}: Pick<WebhookDelivery, 'index' | 'callId' | 'chainId' | 'signed'>): { id: string; body: string } {
  const receipt = decodeReceipt(signed.entry);
  const message = {
    type: 'receipt.created',
    timestamp: new Date(receipt.chargedAtMs).toISOString(),
    data: { index, chainId, receipt, signedReceipt: encodeSignedReceipt(signed) },
  };
  const body = JSON.stringify(message, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return { id: `receipt_${callId}`, body };
}
