import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import { formatVoucherCredential } from '../protocol/mpp/voucher-credential.ts';
import type { SpendTicket } from './authorize-call.ts';
import { checkChallenge } from './check-challenge.ts';
import type { SpendRequest } from './decide-voucher.ts';
import { deliverAnswer } from './deliver-answer.ts';
import { estimateCall } from './estimate-call.ts';
import type { ChatCall, QuoteEstimate } from './estimate-quote.ts';
import type { Connection, Wallet } from './open-wallet.ts';
import { readRefusal, type Refusal } from './read-refusal.ts';
import { sendPaid, withIdempotencyKey } from './send-paid.ts';
import type { PreparedRequest } from './send-request.ts';
import { formatAmount } from './token-amount.ts';

/** A call that a voucher is to pay for. */
export interface ChannelCall {
  request: PreparedRequest;
  call: ChatCall;
  estimate: QuoteEstimate;
  /** The relay's, which the credential answers. */
  challenge: ChallengeEcho;
  /** Given the challenges that later answers bring. */
  onChallenge: (challenge: ChallengeEcho) => void;
}

/**
 * Sends a call with a voucher of the wallet's channel, which is opened first if there is none. A refusal that the wallet can mend by
 * itself (an outdated challenge, a voucher that is too small by the relay's books) is mended once each; every other answer is the result.
 * @throws AutoPayError what opening, topping up and signing throw; what `sendPaid` throws.
 */
export async function payByChannel(wallet: Wallet, channelCall: ChannelCall): Promise<Response> {
  const { request, call, estimate, onChallenge } = channelCall;
  const connection = await wallet.connect();
  const { terms, channels } = connection;
  let asked = channelCall.challenge;
  const { suggestedDeposit } = checkChallenge(asked, terms);
  const deposit = await chooseDeposit(wallet, connection, suggestedDeposit);
  const channel = await channels.ensure({ deposit });
  let ticket = await channels.authorize(channel, estimate, deposit);
  const { paid, mayBeReplay } = withIdempotencyKey(wallet, request);
  let mayBeCharged = false;
  const mended = new Set<Mend>();
  try {
    const sentAtMs = Date.now();
    for (;;) {
      const answer = await sendPaid(wallet, paid, { authorization: formatVoucherCredential(asked, ticket.voucher) });
      const { response } = answer;
      mayBeCharged ||= answer.mayBeCharged;
      if (![402, 409, 410].includes(response.status) || response.headers.has('x-autopay-receipt')) {
        const sent = { call, requestBytes: request.body, sentAtMs, ticket, mayBeReplay, mayBeCharged };
        return await deliverAnswer({ wallet, ...connection, response, ...sent });
      }
      const refusal = await readRefusal(response, terms.token.address);
      if (refusal.challenge) onChallenge(refusal.challenge);
      const mend = whatMends(refusal);
      // A call that may have been served is not sent with another voucher, which could pay for it twice.
      if (mend === undefined || mended.has(mend) || (mend === 'voucher' && mayBeCharged)) {
        if (!mayBeCharged) await channels.dropHold(ticket.hold);
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
}

/** How much to put into a channel: without the owner's word on it, no more than the limit for one deposit. */
export async function chooseDeposit(
  wallet: Wallet,
  { terms, channels }: Connection,
  suggested?: bigint,
): Promise<bigint> {
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

/** The wallet's own refusal to raise: the caller then gets the relay's, which came first. */
function asRefusal(error: unknown): AutoPayError {
  if (error instanceof AutoPayError) return error;
  throw error;
}

function endUnpaid(ticket: SpendTicket, refusal: Refusal): Response {
  ticket.release();
  return refusal.response;
}
