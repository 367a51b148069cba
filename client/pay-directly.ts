import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { DirectPayment } from './check-receipt.ts';
import { replaceHold, type DayHold } from './day-spending.ts';
import { spendingLimitReached } from './decide-voucher.ts';
import { deliverAnswer } from './deliver-answer.ts';
import type { ChatCall } from './estimate-quote.ts';
import { holdPayment, signHeld } from './hold-payment.ts';
import type { Connection, Wallet } from './open-wallet.ts';
import { describeSigned } from './payment-store.ts';
import type { Offer } from './read-offers.ts';
import { readSettlement } from './read-settlement.ts';
import { recordOutcome } from './record-outcome.ts';
import { sendPaid, withIdempotencyKey } from './send-paid.ts';
import type { PreparedRequest } from './send-request.ts';
import { signOffer } from './sign-offer.ts';
import { formatAmount } from './token-amount.ts';

/** A relay's payments hold for its longest call and settlement; nothing needs to hold for longer. */
const mostSeconds = 86_400;

/** A call that is paid by a payment of its own; what `SpendTicket` is for a voucher. */
export interface DirectTicket {
  direct: DirectPayment;
  /** The most that the call may cost, atomic units. */
  quote: bigint;
  hold: DayHold;
  /** Takes a verified receipt into the books: the charge in place of what was signed. */
  settle(receipt: CallReceipt, options: { fits: boolean }): Promise<void>;
  /** Nothing of it is in flight in this process. */
  release(): void;
}

/** A call, and the offer of the relay that it is paid by. */
export interface DirectCall {
  request: PreparedRequest;
  call: ChatCall;
  offer: Offer;
  /** What is signed: atomic units, at most the quote by the relay's published prices. */
  amount: bigint;
}

/**
 * Sends a call with a payment of its own (docs/PROTOCOL.md, "Direct payments"). It counts against the owner's limits and is on the
 * disk before it is sent; a lost answer is asked for with the same payment and key. It is never replaced by another payment. A refused one no
 * longer counts where a chain says that it could only go to the relay's contract.
 * @throws AutoPayError `wallet_limit_exceeded`, `spending_limit_reached`, `challenge_invalid` for an offer that pays somebody else than the relay's
 *   contract; what `sendPaid` throws.
 */
export async function payDirectly(wallet: Wallet, { request, call, offer, amount }: DirectCall): Promise<Response> {
  const connection = await wallet.connect();
  const { terms, channels } = connection;
  const { maxCallAmount, privateKey } = wallet.options;
  if (maxCallAmount !== undefined && amount > maxCallAmount) {
    throw spendingLimitReached(amount, { maxCallAmount, token: terms.token });
  }
  await requireDesk(connection, offer);
  const limits = await channels.limits();
  const hold = await holdPayment(wallet.state, { chainId: terms.chainId, token: terms.token, amount, limits });
  const sign = () => signOffer(offer, { privateKey, amount, mostSeconds });
  const { headers, ...identity } = await signHeld(wallet.state, hold, sign);
  const signed = describeSigned(offer, { ...identity, amount, chainId: terms.chainId, url: request.url });
  await wallet.payments.append(signed);
  const { paid, mayBeReplay } = withIdempotencyKey(wallet, request);
  const sentAtMs = Date.now();
  const { response, mayBeCharged } = await sendPaid(wallet, paid, headers);
  if (!response.ok && !response.headers.has('x-autopay-receipt')) {
    const reason = await readReason(response);
    // What could not be settled is tried again by the relay. What was refused stays counted, too: the relay has the signature, and could use it until it lapses.
    const mayBeTaken = mayBeCharged || reason.endsWith(' settlement_failed');
    await recordOutcome(wallet, signed, { state: mayBeTaken ? 'unconfirmed' : 'refused', reason });
    return response;
  }
  const direct = { signed: amount, isTakenWhole: offer.method !== 'x402/upto' };
  const ticket: DirectTicket = {
    ...{ direct, quote: amount, hold, release: () => undefined },
    async settle(receipt, { fits }) {
      if (fits) await wallet.state.update((saved) => replaceHold(saved, hold, receipt.amount));
      const settlement = readSettlement(response.headers);
      const { isSuccess = false, transaction = null, reason = '' } = settlement ?? {};
      const taken = settlement?.amount ?? (direct.isTakenWhole ? amount : receipt.amount);
      await recordOutcome(wallet, signed, {
        ...{ state: isSuccess ? 'settled' : 'unconfirmed', transaction, reason },
        taken: settlement && !isSuccess ? null : taken.toString(),
        ...{ evidence: 'autopay-receipt', callId: receipt.callId },
      });
    },
  };
  return deliverAnswer({
    wallet,
    ...connection,
    response,
    call,
    requestBytes: request.body,
    sentAtMs,
    ticket,
    mayBeReplay,
    mayBeCharged,
  });
}

/** A payment has to go where it is booked and its rest refunded: to a contract from which AutoPayLLM takes payments. */
async function requireDesk({ chain, terms }: Connection, { payTo }: Offer): Promise<void> {
  if (!chain || (await chain.isDesk(payTo))) return;
  throw new AutoPayError(
    'challenge_invalid',
    `The relay asks for a payment to ${payTo}, which is no payment desk of ${terms.payee}. Nothing was signed. Tell its operator.`,
  );
}

/**
 * What to sign for an offer: what it asks for, at most the quote.
 * @param options.isOfThisCall the offer was made for this very request; else for a shorter one, and the quote is what this one needs.
 * @throws AutoPayError `challenge_invalid` if more is asked than the call can cost by the published prices.
 */
export function amountToSign(
  offer: Offer,
  { quote, isOfThisCall, terms }: { quote: bigint; isOfThisCall: boolean; terms: Connection['terms'] },
): bigint {
  if (!isOfThisCall) return quote;
  if (offer.amount <= quote) return offer.amount;
  const [asked, most] = [formatAmount(offer.amount, terms.token), formatAmount(quote, terms.token)];
  throw new AutoPayError(
    'challenge_invalid',
    `The relay asks for ${asked}; by its published prices this call costs at most ${most}. Nothing was signed. Try again, or tell its operator.`,
    { facts: { asked: offer.amount.toString(), quote: quote.toString() } },
  );
}

async function readReason(response: Response): Promise<string> {
  const text = await response.clone().text();
  const code = /"code":"([a-z0-9_]{1,64})"/.exec(text)?.[1];
  return `${response.status}${code === undefined ? '' : ` ${code}`}`;
}
