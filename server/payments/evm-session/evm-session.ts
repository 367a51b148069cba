import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { formatChallenge } from '../../../protocol/mpp/challenge.ts';
import { parseCredential, paymentAuthorization } from '../../../protocol/mpp/credential.ts';
import type { ChannelReader } from '../../chain/create-channel-reader.ts';
import type { ChannelLedger } from '../../ledger/channel-ledger.ts';
import type { ChannelState, Ledger, VerifiedVoucher } from '../../ledger/ledger.ts';
import type { Challenge, ChallengeContext, MethodAdmission, PaymentMethod } from '../payment-method.ts';
import type { ChannelCloser } from './close-channel.ts';
import { describePayment, describeReceipt, encodeReceipt } from './describe-payment.ts';
import { createChannelFinder, type ChannelFinder } from './find-channel.ts';
import { findPayersChannel, makeDeposit } from './find-payers-channel.ts';
import type { ChallengeIssuer } from './issue-challenge.ts';
import { readSessionPayload, type SessionRequest } from './read-session-payload.ts';
import type { VoucherRecoverer } from './recover-vouchers.ts';
import type { DepositRelay } from './relay-deposit.ts';
import { requireOurChannel } from './require-channel.ts';
import type { SessionTerms } from './session-terms.ts';
import { createVoucherPace } from './voucher-pace.ts';

/** What channel payments need. */
export interface EvmSessionOptions {
  terms: SessionTerms;
  issuer: ChallengeIssuer;
  recoverer: Pick<VoucherRecoverer, 'recover'>;
  reader: ChannelReader;
  ledger: Pick<Ledger, 'getChannel' | 'recallChannel' | 'upsertChannel'> & Pick<ChannelLedger, 'acceptVoucher'>;
  deposits: DepositRelay;
  closer: ChannelCloser;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/**
 * Payment by vouchers of a payment channel (MPP method "evm", intent "session"), in any of the relay's tokens. A voucher is
 * admitted if the challenge is ours, the channel pays us in the challenge's token, and its signer signed. Whether the voucher
 * is new and suffices, and whether the channel is still open, the ledger decides afterwards, in the same step that uses the
 * voucher up.
 *
 * `topUp` and `close` order no call, and neither does a voucher without a body (`HEAD`): they are done, and acknowledged.
 */
export function createEvmSession(options: EvmSessionOptions): PaymentMethod {
  const { terms, issuer, ledger } = options;
  const finder = createChannelFinder(options);
  const channels = { ...options, finder };
  const pace = createVoucherPace(options.nowMs);

  async function act(request: SessionRequest, token: Hex): Promise<{ channel: ChannelState; txHash?: Hex }> {
    const { voucher } = request;
    if (voucher === null) return { channel: await topUp({ ...options, finder }, request, token) };
    const channel = await findPayersChannel(channels, { request, voucher, token });
    if (request.action === 'close') {
      const closed = await options.closer.close(channel, voucher);
      return { channel: closed.channel, txHash: closed.transactionHash };
    }
    pace.take(channel.channelId);
    return { channel: await ledger.acceptVoucher(voucher) };
  }

  return {
    name: 'evm/session',
    carries: (headers) => paymentAuthorization(headers) !== undefined,
    async admit({ headers, body }) {
      const authorization = paymentAuthorization(headers);
      const credential = authorization === undefined ? undefined : parseCredential(authorization);
      // The other intent of this method is a payment method of its own.
      if (!credential || isCharge(credential.challenge)) return undefined;
      const { id: challengeId } = credential.challenge;
      const token = issuer.check(credential.challenge);
      const request = readSessionPayload(credential.payload);
      const { voucher } = request;
      if (voucher === null || request.action === 'close' || body.length === 0) {
        return acknowledge(options, { challengeId, ...(await act(request, token)) });
      }
      const channel = await findPayersChannel(channels, { request, voucher, token });
      return { ...admission({ challengeId, channel, voucher }), takesSlices: !isStrict.test(headers['prefer'] ?? '') };
    },
    challenge: (context) => issueAll(options, context),
    finish: (admitted, charge) => Promise.resolve(describePayment(terms.chainId, admitted, charge)),
  };
}

function admission(paid: { challengeId: string; channel: ChannelState; voucher: VerifiedVoucher }): MethodAdmission {
  const { challengeId, channel, voucher } = paid;
  return {
    ...{ funds: { kind: 'voucher', voucher }, channel, token: channel.token, headroom: null, scopes: [] },
    ...{ keyId: null, idempotencyScope: channel.channelId, challengeId, wantsPaymentEvents: true },
  };
}

/** RFC 7240 §4.4: a refusal is preferred to half an answer. */
const isStrict = /(?:^|[,;])\s*handling\s*=\s*"?strict/i;

function isCharge({ method, intent }: { method: string; intent: string }): boolean {
  return method === 'evm' && intent === 'charge';
}

/** Raises a channel's deposit, or hears that its payer has. Whoever pays it: it can only add. */
async function topUp(
  options: EvmSessionOptions & { finder: ChannelFinder },
  { channelId, deposit, sent }: SessionRequest,
  token: Hex,
): Promise<ChannelState> {
  const { finder, ledger, terms } = options;
  const found = (await ledger.getChannel(channelId)) ?? (await finder.find(channelId));
  if (!found) {
    const message = 'There is no such channel in the escrow contract. Open one first.';
    throw new AutoPayError('channel_not_found', message, { facts: { channelId } });
  }
  requireOurChannel(found, { terms, token });
  if (deposit) return makeDeposit(options, { deposit, token });
  if (!sent) throw new AutoPayError('internal_error', 'A top-up was read that has neither hash nor authorization.');
  return ledger.upsertChannel(await finder.findToppedUp(sent.hash, { channelId, amount: sent.additionalDeposit }));
}

function acknowledge(
  { terms, nowMs }: EvmSessionOptions,
  done: { challengeId: string; channel: ChannelState; txHash?: Hex },
): MethodAdmission {
  const { challengeId, channel } = done;
  const json = describeReceipt({ ...done, chainId: terms.chainId, spent: channel.charged, atMs: nowMs() });
  return {
    ...{ funds: null, channel, token: null, headroom: null, scopes: [], keyId: null, idempotencyScope: null },
    ...{ challengeId, wantsPaymentEvents: false, acknowledged: { 'payment-receipt': encodeReceipt(json) } },
  };
}

/** One challenge for each token that the call can be paid in now, and the facts of the one that matters most. */
function issueAll({ terms, issuer }: EvmSessionOptions, { quotes, token }: ChallengeContext): Challenge | undefined {
  const offers = terms.tokens.flatMap((offered) => {
    if (quotes !== undefined && !quotes.has(offered.address)) return [];
    const suggestedDeposit = offered.suggestedDeposit();
    return suggestedDeposit === undefined
      ? []
      : [{ ...offered, suggestedDeposit, quote: quotes?.get(offered.address) }];
  });
  const main = offers.find(({ address }) => address === token) ?? offers[0];
  if (!main) return undefined;
  const challenges = offers.map(({ address, quote, suggestedDeposit }) =>
    formatChallenge(issuer.issue({ token: address, quote, suggestedDeposit })),
  );
  const { address, symbol, decimals, quote } = main;
  const { recipient, escrow, chainId } = terms;
  return {
    offers: challenges.length,
    headers: (count) => ({ 'WWW-Authenticate': challenges.slice(0, count).join(', ') }),
    facts: {
      ...(quote !== undefined && { quote: quote.toString() }),
      ...{ token: address, symbol, decimals, recipient, escrow, chainId },
    },
  };
}
