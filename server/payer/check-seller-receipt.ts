import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { commit } from '../../protocol/receipt/commitments.ts';
import type { ReceiptHistory } from '../../protocol/receipt/receipt-history.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { recoverReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';

/** What the relay knows of a call that it bought. Amounts are atomic units. */
export interface BoughtCall {
  chainId: number;
  /** The seller's AutoPayLLM, in whose name it signs. */
  payee: Hex;
  channelId: Hex;
  payer: Hex;
  token: Hex;
  /** The most that it can cost: the seller's own quote. */
  maximum: bigint;
  /** `x-autopay-call-id` of the answer. */
  sellerCallId: string | undefined;
  /** As it was sent. */
  body: Uint8Array;
}

/** A receipt that is fit to be booked, or what is wrong with it, in words. */
export type CheckedSellerReceipt = { receipt: CallReceipt; problem: null } | { receipt: null; problem: string };

/**
 * Checks a receipt of another AutoPayLLM relay: who signed it, that it is for this call, and that its running total joins those
 * before it. That the total is not above all that was bought is for the books to say, which know of all calls.
 * @param isRelay whether the seller's contract knows an address as its relay
 * @throws AutoPayError `chain_unavailable` if that cannot be asked: nothing is known then
 */
export async function checkSellerReceipt(
  encoded: string,
  call: BoughtCall,
  { history, isRelay }: { history: ReceiptHistory; isRelay: (signer: Hex) => Promise<boolean> },
): Promise<CheckedSellerReceipt> {
  let found: { receipt: CallReceipt; signer: Hex; requestSalt: Uint8Array };
  try {
    const signed = decodeSignedReceipt(encoded);
    const scope = { chainId: call.chainId, verifyingContract: call.payee };
    found = { ...recoverReceipt(signed, scope), requestSalt: signed.requestSalt };
  } catch (error) {
    if (!(error instanceof AutoPayError)) throw error;
    return { receipt: null, problem: `it cannot be read: ${error.message}` };
  }
  const { receipt, requestSalt, signer } = found;
  if (!(await isRelay(signer)))
    return { receipt: null, problem: `it is signed by ${signer}, which is no relay of ${call.payee}` };
  const request = toHex(commit({ subject: 'request', salt: requestSalt, bytes: call.body }));
  const fits: [boolean, string][] = [
    [receipt.callId === call.sellerCallId, `it is for call ${receipt.callId}, and the answer for ${call.sellerCallId}`],
    [receipt.channelId === call.channelId, `it charges channel ${receipt.channelId}`],
    [receipt.payer === call.payer, `it names ${receipt.payer} as payer`],
    [receipt.token === call.token, `it charges in token ${receipt.token}`],
    [receipt.amount <= call.maximum, `its amount ${receipt.amount} is above the quote ${call.maximum}`],
    [receipt.requestCommitment === request, 'it commits to another request'],
  ];
  const problem = fits.find(([isFine]) => !isFine)?.[1] ?? history.add(receipt)[0] ?? null;
  return problem === null ? { receipt, problem } : { receipt: null, problem };
}
