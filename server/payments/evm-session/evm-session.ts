import { zeroAddress, type Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { formatChallenge } from '../../../protocol/mpp/challenge.ts';
import { parseCredential } from '../../../protocol/mpp/credential.ts';
import type { SessionPayload } from '../../../protocol/mpp/session-schemas.ts';
import type { ChannelReader } from '../../chain/create-channel-reader.ts';
import type { ChannelOnChain, ChannelState, Ledger } from '../../ledger/ledger.ts';
import type { Challenge, ChallengeContext, PaymentMethod } from '../payment-method.ts';
import { createChannelFinder, type ChannelFinder } from './find-channel.ts';
import type { ChallengeIssuer } from './issue-challenge.ts';
import { readSessionPayload } from './read-session-payload.ts';
import type { VoucherRecoverer } from './recover-vouchers.ts';
import { requireOurChannel } from './require-channel.ts';
import type { SessionTerms } from './session-terms.ts';

/** What channel payments need. */
export interface EvmSessionOptions {
  terms: SessionTerms;
  issuer: ChallengeIssuer;
  recoverer: Pick<VoucherRecoverer, 'recover'>;
  reader: ChannelReader;
  ledger: Pick<Ledger, 'getChannel' | 'recallChannel' | 'upsertChannel'>;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/**
 * Payment by vouchers of a payment channel (MPP method "evm", intent "session"), in any of the relay's tokens. A voucher is
 * admitted if the challenge is ours, the channel pays us in the challenge's token, and its signer signed. Nothing about a channel is told to, or changed by,
 * whoever has not shown that signature. Whether the voucher is new and suffices, and whether the channel is still open,
 * the ledger decides afterwards, in the same step that uses the voucher up.
 */
export function createEvmSession(options: EvmSessionOptions): PaymentMethod {
  const { terms, issuer, ledger } = options;
  const finder = createChannelFinder(options);

  return {
    name: 'evm/session',
    async admit({ authorization }) {
      const credential = authorization === undefined ? undefined : parseCredential(authorization);
      if (!credential) return undefined;
      const token = issuer.check(credential.challenge);
      const payload = readSessionPayload(credential.payload);
      const { channelId, cumulativeAmount, signature } = payload;
      const voucher = { channelId, cumulativeAmount, signature };

      const recalled = ledger.recallChannel(channelId);
      const [signer, known] = recalled
        ? [await options.recoverer.recover(voucher), recalled]
        : // Both go to other threads; together they cost one wait.
          await settleBoth(options.recoverer.recover(voucher), ledger.getChannel(channelId));
      let channel: ChannelState;
      if (known) {
        requireSigner(known, signer);
        // Known is not ours: the configured tokens may have changed since the channel was recorded.
        requireOurChannel(known, { terms, token });
        channel = await refreshIfNeeded({ channel: known, payload, finder, ledger });
      } else {
        const found = await findNewChannel(payload, finder);
        requireOurChannel(found, { terms, token });
        requireSigner(found, signer);
        channel = await ledger.upsertChannel(found);
      }
      return { voucher, channel, challengeId: credential.challenge.id, wantsPaymentEvents: true };
    },
    challenge: (context) => issueAll(options, context),
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
    headers: { 'WWW-Authenticate': challenges.join(', ') },
    facts: {
      ...(quote !== undefined && { quote: quote.toString() }),
      ...{ token: address, symbol, decimals, recipient, escrow, chainId },
    },
  };
}

/** Promise.all that leaves no rejection unhandled when both fail. */
async function settleBoth<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  second.catch(() => undefined);
  return [await first, await second];
}

function requireSigner(channel: ChannelOnChain, signer: Hex): void {
  const expected = channel.authorizedSigner === zeroAddress ? channel.payer : channel.authorizedSigner;
  if (signer === expected) return;
  throw new AutoPayError(
    'signer_mismatch',
    'The voucher is not signed by the key that may sign for this channel. Sign it with the channel’s authorizedSigner (or ' +
      'payer, if there is none), by ECDSA, for this escrow and chain.',
    { facts: { channelId: channel.channelId, signer } },
  );
}

/** A channel that the ledger has not seen: by the transaction that opened it, or by its id. */
async function findNewChannel(payload: SessionPayload, finder: ChannelFinder): Promise<ChannelOnChain> {
  const { channelId } = payload;
  const channel =
    payload.action === 'open' ? await finder.findOpened(payload.hash, channelId) : await finder.find(channelId);
  if (channel) return channel;
  const message =
    'There is no such channel in the escrow contract. Open one (or wait for its transaction), and try again.';
  throw new AutoPayError('channel_not_found', message, { facts: { channelId } });
}

/** A top-up since the last look may have raised the deposit or ended a close; the chain is asked once. */
async function refreshIfNeeded(options: {
  channel: ChannelState;
  payload: SessionPayload;
  finder: ChannelFinder;
  ledger: Pick<Ledger, 'getChannel'>;
}): Promise<ChannelState> {
  const { channel, payload, finder, ledger } = options;
  const mayHaveChanged = payload.cumulativeAmount > channel.deposit || channel.closeRequestedAt > 0;
  if (channel.finalized || !mayHaveChanged) return channel;
  if (!(await finder.refresh(channel.channelId))) return channel;
  return (await ledger.getChannel(channel.channelId)) ?? channel;
}
