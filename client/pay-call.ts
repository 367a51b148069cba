import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import type { SpendTicket } from './authorize-call.ts';
import { checkChallenge, formatVoucherCredential, isCurrent } from './check-challenge.ts';
import { spendingLimitReached, type SpendRequest } from './decide-voucher.ts';
import { deliverAnswer } from './deliver-answer.ts';
import { estimateQuote, type ChatCall, type QuoteEstimate } from './estimate-quote.ts';
import type { Connection, Wallet } from './open-wallet.ts';
import { readRefusal, type Refusal } from './read-refusal.ts';
import { sendPaid, withIdempotencyKey } from './send-paid.ts';
import { sendRequest, type PreparedRequest } from './send-request.ts';
import { formatAmount } from './token-amount.ts';

/** A longer body is not sent only to be refused: a short request is answered with the same challenge. */
const maxUnpaidBodyBytes = 16_384;

/**
 * Makes the function that sends a call with a voucher. A refusal that the wallet can mend by itself (an outdated challenge, a
 * voucher that is too small by the relay's books) is mended once each; every other answer is the result.
 */
export function createCallPayer(wallet: Wallet): (request: PreparedRequest, call: ChatCall) => Promise<Response> {
  let challenge: ChallengeEcho | undefined;

  /** The relay's challenge, from an earlier answer or by asking without payment; or the request's answer, if it needs none. */
  async function askForChallenge(
    request: PreparedRequest,
    { model, token }: { model: string; token: Hex },
  ): Promise<ChallengeEcho | Response> {
    if (challenge && isCurrent(challenge)) return challenge;
    const isLong = request.body.length > maxUnpaidBodyBytes;
    // Unpaid: an Idempotency-Key of the caller's is for its own request only.
    const headers = new Headers(request.headers);
    headers.delete('idempotency-key');
    const response = await sendRequest(wallet, { ...request, headers, ...(isLong && { body: shortBody(model) }) });
    if (response.status !== 402) {
      if (!isLong) return response;
      // What was answered is not what the caller asked.
      await response.body?.cancel();
      return sendRequest(wallet, request);
    }
    const refusal = await readRefusal(response, token);
    challenge = refusal.challenge;
    return challenge ?? refusal.response;
  }

  return async (request, call) => {
    const connection = await wallet.connect();
    const { terms, channels } = connection;
    const token = terms.token.address;
    const estimate = await estimateCall(wallet, call);
    const { maxCallAmount } = wallet.options;
    if (maxCallAmount !== undefined && estimate.minimum > maxCallAmount) {
      // Before a channel is opened for a call that it cannot pay.
      throw spendingLimitReached(estimate.minimum, { maxCallAmount, token: terms.token });
    }
    await channels.requireWithinLimits(estimate.minimum);
    let asked = await askForChallenge(request, { model: call.model, token });
    if (asked instanceof Response) return asked;
    const { suggestedDeposit } = checkChallenge(asked, terms);
    const deposit = await chooseDeposit(wallet, connection, suggestedDeposit);
    const channel = await channels.ensure({ deposit });
    let ticket = await channels.authorize(channel, estimate, deposit);
    const { paid, isOwnKey } = withIdempotencyKey(request);
    let wasLost = false;
    const mended = new Set<Mend>();
    try {
      const sentAtMs = Date.now();
      for (;;) {
        const answer = await sendPaid(wallet, paid, formatVoucherCredential(asked, ticket.voucher));
        const { response } = answer;
        wasLost ||= answer.wasLost;
        if (![402, 409, 410].includes(response.status) || response.headers.has('x-autopay-receipt')) {
          const sent = { call, requestBytes: request.body, sentAtMs, ticket, isOwnKey };
          return await deliverAnswer({ wallet, ...connection, response, ...sent });
        }
        const refusal = await readRefusal(response, token);
        challenge = refusal.challenge ?? challenge;
        const mend = whatMends(refusal);
        // A call whose answer was lost may have been served: another voucher could pay for it twice.
        if (mend === undefined || mended.has(mend) || (mend === 'voucher' && wasLost)) {
          if (!wasLost) await channels.dropHold(ticket.hold);
          return endUnpaid(ticket, refusal);
        }
        mended.add(mend);
        if (mend === 'challenge' && refusal.challenge) {
          checkChallenge(refusal.challenge, terms);
          asked = refusal.challenge;
        } else {
          ticket.release();
          await channels.dropHold(ticket.hold);
          const raised = await raise(wallet, { call, estimate }, refusal)
            .then((spend) => channels.authorize(channel, spend, deposit))
            .catch(asRefusal);
          if (raised instanceof AutoPayError) {
            wallet.warn(raised.message);
            return refusal.response;
          }
          ticket = raised;
        }
      }
    } catch (error) {
      ticket.release();
      throw error;
    }
  };
}

/** How much to put into a channel: without the owner's word on it, no more than the limit for one deposit. */
async function chooseDeposit(wallet: Wallet, { terms, channels }: Connection, suggested?: bigint): Promise<bigint> {
  const deposit = wallet.depositFor(terms, suggested);
  const { perDeposit } = await channels.limits();
  const isOwners = wallet.options.deposit !== undefined;
  return !isOwners && perDeposit !== undefined && perDeposit < deposit ? perDeposit : deposit;
}

type Mend = 'challenge' | 'voucher';

/** What could turn a refusal into an answer; undefined if nothing that a wallet may do by itself. */
function whatMends(refusal: Refusal): Mend | undefined {
  switch (refusal.code) {
    case 'challenge_invalid':
    case 'challenge_expired':
      return refusal.challenge && 'challenge';
    case 'insufficient_headroom':
    case 'voucher_already_used':
      return 'voucher';
    default:
      return undefined;
  }
}

/** What a call can cost by the published prices; `isFresh` asks the relay for them again. */
async function estimateCall(wallet: Wallet, call: ChatCall, isFresh = false): Promise<QuoteEstimate> {
  const { tariffs } = await wallet.connect();
  const catalogue = await wallet.catalogue(isFresh);
  const model = catalogue.models.get(call.model);
  if (!model) throw new AutoPayError('model_not_found', `The relay no longer sells "${call.model}".`);
  return estimateQuote(call, { model, tariff: await tariffs.current(catalogue, model) });
}

/**
 * What to ask for after a refusal. That the relay says more is no reason to pay more: where its quote is above the wallet's, its
 * published prices are asked for again, and the quote is computed from them.
 */
async function raise(
  wallet: Wallet,
  { call, estimate }: { call: ChatCall; estimate: QuoteEstimate },
  refusal: Refusal,
): Promise<SpendRequest> {
  const { requiredCumulative, acceptedCumulative, spent } = refusal;
  const claims = { requiredCumulative, acceptedCumulative, spent };
  if (refusal.quote === undefined || refusal.quote <= estimate.quote) return { ...estimate, claims };
  const current = await estimateCall(wallet, call, true);
  if (current.quote > estimate.quote) {
    const { token } = (await wallet.connect()).terms;
    const [now, before] = [formatAmount(current.quote, token), formatAmount(estimate.quote, token)];
    wallet.warn(`The prices of ${call.model} have risen: this call may cost ${now}, and not ${before} at most.`);
  }
  return { ...current, claims };
}

function shortBody(model: string): Uint8Array<ArrayBuffer> {
  const request = { model, messages: [{ role: 'user', content: '' }], max_tokens: 1 };
  return new TextEncoder().encode(JSON.stringify(request));
}

/** The wallet's own refusal to raise: the caller then gets the relay's, which came first. */
function asRefusal(error: unknown): AutoPayError {
  if (error instanceof AutoPayError) return error;
  throw error;
}

function endUnpaid(ticket: SpendTicket, refusal: Refusal): Response {
  ticket.release();
  return refusal.response;
}
