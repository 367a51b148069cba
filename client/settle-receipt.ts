import { zeroBytes32 } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { SpendTicket } from './authorize-call.ts';
import type { ChannelManager } from './channel-manager.ts';
import { checkReceipt, type ChannelPayment, type CheckedReceipt, type ReceiptExpectation } from './check-receipt.ts';
import type { Answer } from './deliver-answer.ts';
import type { Catalogue } from './fetch-catalogue.ts';
import { judgePrice, type PriceFacts } from './disputes/find-wrong-price.ts';
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
    await wallet.keepBodies(stored.callId, {
      request: answer.requestBytes,
      ...(evidence.responseBytes && { response: evidence.responseBytes }),
    });
    const isKnown = isReplay(answer) && (await isInRecord(answer, stored));
    if (!isKnown) {
      await wallet.receipts.append(stored);
      await wallet.watch.judge(stored, async (held) => {
        const judgement = await judgePrice(held, priceFactsOf(answer));
        return typeof judgement === 'object' && 'finding' in judgement ? [judgement.finding] : [];
      });
    }
    // A receipt that does not fit must not move the wallet's books; the quote then stays counted as spent today.
    const { ticket, channels } = answer;
    const fits = checked.problems.length === 0;
    if (isKnown) await freeHold(answer);
    else if (ticket && 'direct' in ticket) await ticket.settle(checked.receipt, { fits });
    else if (fits && checked.receipt.channelId !== zeroBytes32) await channels.record(checked.receipt, ticket?.hold);
    wallet.options.onReceipt?.(stored);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    wallet.warn(`Call ${callId} has no valid receipt: ${reason}`);
  } finally {
    answer.ticket?.release();
  }
}

/**
 * The relay says that the call cost nothing: its quote no longer counts as spent today. Of a payment of its own that is not believed: a
 * signature that was not used can be used until it lapses.
 */
export async function freeHold({ channels, ticket }: Pick<Answer, 'channels' | 'ticket'>): Promise<void> {
  if (ticket && !('direct' in ticket)) await channels.dropHold(ticket.hold);
}

/** Whether this may be the answer to an earlier request of the caller's, whose receipt the wallet then has. */
function isReplay({ mayBeReplay, response }: Answer): boolean {
  return mayBeReplay && response.headers.get('idempotent-replayed') === 'true';
}

/** Whether this very receipt was stored before: another one of the same call is evidence. */
async function isInRecord({ wallet }: Answer, { callId, receipt }: StoredReceipt): Promise<boolean> {
  const known = await wallet.receipts.find(callId);
  const entryOf = (encoded: string) => decodeSignedReceipt(encoded).entry;
  return known !== undefined && Buffer.compare(entryOf(known.receipt), entryOf(receipt)) === 0;
}

/** What the wallet knows of prices at a call. Without a chain nothing is found that only the chain can tell. */
function priceFactsOf({ wallet, chain, terms }: Answer): PriceFacts {
  return {
    isInForce: async (priceRoot, atSeconds) => chain?.isInForce(priceRoot, atSeconds),
    async rowsOf() {
      const { models } = await wallet.lastCatalogue();
      return [...models.values()].flatMap(({ rows }) => rows);
    },
    async readConversion(token, round) {
      const { address, decimals } = terms.token;
      if (!chain || token !== address) return null;
      const price = await chain.readRound(token, round);
      return price && { ...price, tokenDecimals: decimals };
    },
  };
}

async function expectationOf(
  answer: Answer,
  encoded: string,
  responseBytes: Uint8Array | undefined,
): Promise<ReceiptExpectation> {
  const { terms, channels, ticket, requestBytes, sentAtMs, response } = answer;
  return {
    scope: { chainId: terms.chainId, verifyingContract: terms.payee },
    relay: terms.relay,
    callId: response.headers.get('x-autopay-call-id'),
    sentAtMs: isReplay(answer) ? sentAtMs - keptForMs : sentAtMs,
    receivedAtMs: Date.now(),
    model: await modelOf(answer, encoded),
    requestBytes,
    responseBytes,
    prices: await findPrices(answer, encoded),
    payment: ticket && {
      payer: channels.payer,
      token: terms.token.address,
      quote: ticket.quote,
      by: 'direct' in ticket ? ticket.direct : await channelPayment(channels, ticket),
    },
  };
}

/**
 * The model that the receipt may be for: the one that it names, if that is the one that was called, one of the request's
 * `fallback_models`, or one that the relay lists as answering in its place; else the one that was called.
 */
async function modelOf(answer: Answer, encoded: string): Promise<string> {
  const { wallet, call } = answer;
  const { modelAsked } = decodeReceipt(decodeSignedReceipt(encoded).entry);
  if (modelAsked === call.model || call.fallbackModels.includes(modelAsked)) return modelAsked;
  const known = await wallet.lastCatalogue();
  const isListed = ({ models }: Catalogue) => models.get(call.model)?.answeredBy.includes(modelAsked) === true;
  // The relay may have been given another fallback since the list was read.
  const mayAnswer = isListed(known) || isListed(await wallet.lastCatalogue(true));
  return mayAnswer ? modelAsked : call.model;
}

async function channelPayment(channels: ChannelManager, { voucher }: SpendTicket): Promise<ChannelPayment> {
  const { channelId } = voucher;
  const mostChargeable = await channels.mostChargeable(channelId);
  return { channelId, mostChargeable, history: channels.history(channelId) };
}

/** The published price table, asked for again if the receipt names another. */
async function findPrices(answer: Answer, encoded: string): Promise<ReceiptExpectation['prices']> {
  const { tariffs, wallet } = answer;
  const { priceRoot, amount, oracleRound, admittedAtMs } = decodeReceipt(decodeSignedReceipt(encoded).entry);
  let catalogue = await wallet.lastCatalogue();
  if (catalogue.priceRoot !== priceRoot && amount > 0n) catalogue = await wallet.lastCatalogue(true);
  const model = catalogue.models.get(await modelOf(answer, encoded));
  if (!model) return undefined;
  const tariff = await tariffs.atRound(catalogue, model, { oracleRound, atMs: admittedAtMs });
  return { root: catalogue.priceRoot, tariff };
}

function describeReceipt(
  { wallet, terms }: Answer,
  { checked, encoded }: { checked: CheckedReceipt; encoded: string },
): StoredReceipt {
  const { receipt, problems } = checked;
  return {
    callId: receipt.callId,
    receivedAtMs: Date.now(),
    relayUrl: wallet.relayUrl,
    chainId: terms.chainId,
    payee: terms.payee,
    // What was sold, which another model than the one that was called may have answered.
    model: receipt.modelAsked,
    channelId: receipt.channelId,
    sequence: receipt.sequence,
    amount: receipt.amount.toString(),
    promptTokens: receipt.usage.prompt,
    completionTokens: receipt.usage.completion,
    problems,
    receipt: encoded,
  };
}
