import { zeroBytes32 } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { checkReceipt, type CheckedReceipt, type ReceiptExpectation } from './check-receipt.ts';
import type { Answer } from './deliver-answer.ts';
import type { StoredReceipt } from './receipt-store.ts';

/** A relay keeps answers for so long (docs/PROTOCOL.md, "Idempotency-Key"). */
const keptForMs = 86_400_000;

/** What an answer brought. */
interface Evidence {
  /** Base64 SignedReceipt; undefined if there was none. */
  receipt: string | undefined;
  /** The bytes that it commits to; undefined if they were too many to keep. */
  responseBytes: Uint8Array | undefined;
}

/**
 * Checks a call's receipt, stores it and takes it into the channel's books. It never throws: the answer is paid for, so the
 * owner is warned of what is wrong, and gets the answer.
 */
export async function settleReceipt(answer: Answer, evidence: Evidence): Promise<void> {
  const { wallet } = answer;
  const callId = answer.response.headers.get('x-autopay-call-id');
  try {
    if (evidence.receipt === undefined) {
      throw new AutoPayError('verification_failed', 'The relay answered without a receipt.');
    }
    const checked = checkReceipt(
      evidence.receipt,
      await expectationOf(answer, evidence.receipt, evidence.responseBytes),
    );
    checked.problems.push(...(await answer.confirmReceipt(checked)));
    for (const problem of checked.problems) wallet.warn(`The receipt of call ${callId} does not fit: ${problem}.`);
    const stored = describeReceipt(answer, { checked, encoded: evidence.receipt });
    const isKnown = isReplay(answer) && (await wallet.receipts.find(stored.callId)) !== undefined;
    if (!isKnown) await wallet.receipts.append(stored);
    // A receipt that does not fit must not move the wallet's books; the quote then stays counted as spent today.
    const isCharged = checked.receipt.channelId !== zeroBytes32;
    const hold = answer.ticket?.hold;
    if (isKnown && hold) await answer.channels.dropHold(hold);
    else if (checked.problems.length === 0 && isCharged) await answer.channels.record(checked.receipt, hold);
    wallet.options.onReceipt?.(stored);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    wallet.warn(`Call ${callId} has no valid receipt: ${reason}`);
  } finally {
    answer.ticket?.release();
  }
}

/** Whether this may be the answer to an earlier request of the caller's, whose receipt the wallet then has. */
function isReplay({ isOwnKey, response }: Answer): boolean {
  return isOwnKey && response.headers.get('idempotent-replayed') === 'true';
}

async function expectationOf(
  answer: Answer,
  encoded: string,
  responseBytes: Uint8Array | undefined,
): Promise<ReceiptExpectation> {
  const { terms, channels, ticket, call, requestBytes, sentAtMs, response } = answer;
  return {
    scope: { chainId: terms.chainId, verifyingContract: terms.payee },
    relay: terms.relay,
    callId: response.headers.get('x-autopay-call-id'),
    sentAtMs: isReplay(answer) ? sentAtMs - keptForMs : sentAtMs,
    receivedAtMs: Date.now(),
    model: call.model,
    requestBytes,
    responseBytes,
    prices: await findPrices(answer, encoded),
    payment: ticket && {
      channelId: ticket.voucher.channelId,
      payer: channels.payer,
      token: terms.token.address,
      quote: ticket.quote,
      mostChargeable: await channels.mostChargeable(ticket.voucher.channelId),
      history: channels.history(ticket.voucher.channelId),
    },
  };
}

/** The published price table, asked for again if the receipt names another. */
async function findPrices({ wallet, tariffs, call }: Answer, encoded: string): Promise<ReceiptExpectation['prices']> {
  const { priceRoot, amount, oracleRound, admittedAtMs } = decodeReceipt(decodeSignedReceipt(encoded).entry);
  let catalogue = await wallet.catalogue();
  if (catalogue.priceRoot !== priceRoot && amount > 0n) catalogue = await wallet.catalogue(true);
  const model = catalogue.models.get(call.model);
  if (!model) return undefined;
  const tariff = await tariffs.atRound(catalogue, model, { oracleRound, atMs: admittedAtMs });
  return { root: catalogue.priceRoot, tariff };
}

function describeReceipt(
  { wallet, terms, call }: Answer,
  { checked, encoded }: { checked: CheckedReceipt; encoded: string },
): StoredReceipt {
  const { receipt, problems } = checked;
  return {
    callId: receipt.callId,
    receivedAtMs: Date.now(),
    relayUrl: wallet.relayUrl,
    chainId: terms.chainId,
    payee: terms.payee,
    model: call.model,
    channelId: receipt.channelId,
    sequence: receipt.sequence,
    amount: receipt.amount.toString(),
    promptTokens: receipt.usage.prompt,
    completionTokens: receipt.usage.completion,
    problems,
    receipt: encoded,
  };
}
