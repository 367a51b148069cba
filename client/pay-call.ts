import type { Hex } from '../protocol/bytes/hex.ts';
import type { ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import { checkChallenge, isCurrent } from './check-challenge.ts';
import { chooseMethod, type MethodChoice } from './choose-method.ts';
import { spendingLimitReached } from './decide-voucher.ts';
import { estimateCall } from './estimate-call.ts';
import type { ChatCall, QuoteEstimate } from './estimate-quote.ts';
import type { Connection, Wallet } from './open-wallet.ts';
import { chooseDeposit, payByChannel } from './pay-by-channel.ts';
import { amountToSign, payDirectly } from './pay-directly.ts';
import type { Offer } from './read-offers.ts';
import { shortRequest } from './read-model-call.ts';
import { readRefusal } from './read-refusal.ts';
import { knownUsdc } from './seller-assets.ts';
import { sendRequest, type PreparedRequest } from './send-request.ts';

/** A longer body is not sent only to be refused: a short request is answered with the same challenge. */
const maxUnpaidBodyBytes = 16_384;

/** What a relay answered a request without payment. */
interface Asked {
  challenge: ChallengeEcho | undefined;
  /** In the wallet's token. */
  offers: readonly Offer[];
  /** The request was this very one; else a shorter one for the same model. */
  isOfThisCall: boolean;
  /** The 402 itself. */
  response: Response;
}

/**
 * Makes the function that pays for a call: by the open channel, without asking the relay first; where there is none, by what
 * `chooseMethod` finds cheapest among the relay's offers.
 */
export function createCallPayer(wallet: Wallet): (request: PreparedRequest, call: ChatCall) => Promise<Response> {
  let challenge: ChallengeEcho | undefined;
  const onChallenge = (latest: ChallengeEcho) => {
    challenge = latest;
  };

  return async (request, call) => {
    const connection = await wallet.connect();
    const { terms, channels } = connection;
    const estimate = await estimateCall(wallet, call);
    const { maxCallAmount, methods } = wallet.options;
    if (maxCallAmount !== undefined && estimate.minimum > maxCallAmount) {
      // Before a channel is opened for a call that it cannot pay.
      throw spendingLimitReached(estimate.minimum, { maxCallAmount, token: terms.token });
    }
    await channels.requireWithinLimits(estimate.minimum);
    const hasChannel = (await channels.current()) !== undefined;
    const isSession = hasChannel && (methods ?? ['evm/session'])[0] === 'evm/session';
    if (isSession && challenge && isCurrent(challenge)) {
      return payByChannel(wallet, { request, call, estimate, challenge, onChallenge });
    }
    const asked = await askUnpaid(wallet, { request, model: call.model, connection });
    if (asked instanceof Response) return asked;
    if (asked.challenge) onChallenge(asked.challenge);
    if (isSession && !asked.challenge) return asked.response;
    const choice: MethodChoice = isSession
      ? { method: 'evm/session', offer: null }
      : await choose(wallet, connection, { asked, estimate, hasChannel });
    if (choice.offer === null) {
      // Only chosen where the relay asks for one.
      if (!asked.challenge) return asked.response;
      return payByChannel(wallet, { request, call, estimate, challenge: asked.challenge, onChallenge });
    }
    const { offer } = choice;
    const { isOfThisCall } = asked;
    const isDearer = isOfThisCall && offer.amount > estimate.quote;
    const { quote } = isDearer ? await estimateCall(wallet, call, true) : estimate;
    return payDirectly(wallet, { request, call, offer, amount: amountToSign(offer, { quote, isOfThisCall, terms }) });
  };
}

/** Asks what a request costs, by sending it without payment; its answer, if it needs none. */
async function askUnpaid(
  wallet: Wallet,
  { request, model, connection }: { request: PreparedRequest; model: string; connection: Connection },
): Promise<Asked | Response> {
  const { chainId, token } = connection.terms;
  const isLong = request.body.length > maxUnpaidBodyBytes;
  // Unpaid: an Idempotency-Key of the caller's is for its own request only.
  const headers = new Headers(request.headers);
  headers.delete('idempotency-key');
  const response = await sendRequest(wallet, {
    ...request,
    headers,
    ...(isLong && { body: shortRequest(request.url, model) }),
  });
  if (response.status !== 402) {
    if (!isLong) return response;
    // What was answered is not what the caller asked.
    await response.body?.cancel();
    return sendRequest(wallet, request);
  }
  const refusal = await readRefusal(response, token.address);
  const isUsable = (offer: Offer) =>
    offer.chainId === chainId &&
    offer.asset === token.address &&
    // An authorization of MPP is for the amount of its challenge.
    !(isLong && offer.method === 'evm/charge');
  const offers = withDomains(refusal.offers.filter(isUsable));
  return { challenge: refusal.challenge, offers, isOfThisCall: !isLong, response: refusal.response };
}

/** MPP's challenges do not name the EIP-712 domain of their token; x402's offers do, and that of USDC is known. */
function withDomains(offers: readonly Offer[]): Offer[] {
  const told = offers.find(({ domain }) => domain !== undefined)?.domain;
  const domainOf = ({ chainId, asset }: Offer) =>
    knownUsdc().find((known) => known.chainId === chainId && known.address === asset)?.domain;
  return offers.map((offer) => ({ ...offer, domain: offer.domain ?? told ?? domainOf(offer) }));
}

async function choose(
  wallet: Wallet,
  connection: Connection,
  { asked, estimate, hasChannel }: { asked: Asked; estimate: QuoteEstimate; hasChannel: boolean },
): Promise<MethodChoice> {
  const { chain, terms } = connection;
  const { challenge, offers } = asked;
  const suggested = challenge && checkChallenge(challenge, terms).suggestedDeposit;
  return chooseMethod({
    ...{ ...estimate, offers, hasChannel, hasSessionOffer: challenge !== undefined },
    deposit: await chooseDeposit(wallet, connection, suggested),
    funds: chain && (await readFunds(chain, terms.token.address)),
    methods: wallet.options.methods,
  });
}

async function readFunds(chain: NonNullable<Connection['chain']>, token: Hex) {
  const [wei, balance, permit2Allowance] = await Promise.all([
    chain.ether(),
    chain.balanceOf(token),
    chain.permit2Allowance(token),
  ]);
  return { wei, balance, permit2Allowance };
}
