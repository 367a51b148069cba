import { zeroAddress, type Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelOnChain, ChannelState, Ledger, VerifiedVoucher } from '../../ledger/ledger.ts';
import type { ChannelFinder } from './find-channel.ts';
import type { RelayedDeposit, SessionRequest } from './read-session-payload.ts';
import type { VoucherRecoverer } from './recover-vouchers.ts';
import type { DepositRelay } from './relay-deposit.ts';
import { requireOurChannel } from './require-channel.ts';
import type { SessionTerms } from './session-terms.ts';

/** What the channel of a voucher is found with. */
export interface PayersChannelOptions {
  terms: SessionTerms;
  recoverer: Pick<VoucherRecoverer, 'recover'>;
  finder: ChannelFinder;
  ledger: Pick<Ledger, 'getChannel' | 'recallChannel' | 'upsertChannel'>;
  deposits: DepositRelay;
}

/**
 * The channel of a voucher, once it is shown that its signer signed, that it pays this relay, and in this token. A deposit that comes
 * with the voucher is made first. Nothing about a channel is told to, or changed or paid for by, whoever has not shown a
 * signature.
 *
 * @throws AutoPayError `signer_mismatch`, `channel_not_found`, `channel_wrong_payee`, `channel_wrong_token`; as the recoverer, the finder
 * and `DepositRelay.deposit`
 */
export async function findPayersChannel(
  options: PayersChannelOptions,
  { request, voucher, token }: { request: SessionRequest; voucher: VerifiedVoucher; token: Hex },
): Promise<ChannelState> {
  const { terms, ledger, recoverer } = options;
  const { channelId } = voucher;
  const recalled = ledger.recallChannel(channelId);
  const [signer, known] = recalled
    ? [await recoverer.recover(voucher), recalled]
    : // Both go to other threads; together they cost one wait.
      await settleBoth(recoverer.recover(voucher), ledger.getChannel(channelId));
  if (known) {
    requireSigner(known, signer);
    // Known is not ours: the configured tokens may have changed since the channel was recorded.
    requireOurChannel(known, { terms, token });
    if (request.deposit?.action === 'topUp') return makeDeposit(options, { deposit: request.deposit, token });
    return refreshIfNeeded(options, known, voucher);
  }
  if (request.deposit?.action === 'open') {
    const { authorization, authorizedSigner } = request.deposit;
    requireSigner({ channelId, payer: authorization.from, authorizedSigner }, signer);
    if (voucher.cumulativeAmount > authorization.value) throw beyondDeposit(voucher, authorization.value);
    return makeDeposit(options, { deposit: request.deposit, token });
  }
  const found = await findNewChannel(request, options.finder);
  requireOurChannel(found, { terms, token });
  requireSigner(found, signer);
  const channel = await ledger.upsertChannel(found);
  return request.deposit ? makeDeposit(options, { deposit: request.deposit, token }) : channel;
}

/** Makes a deposit in the token of the challenge, and records the channel that it opened or topped up. */
export async function makeDeposit(
  { deposits, ledger, terms }: Pick<PayersChannelOptions, 'deposits' | 'ledger' | 'terms'>,
  { deposit, token: address }: { deposit: RelayedDeposit; token: Hex },
): Promise<ChannelState> {
  const token = terms.tokens.find((known) => known.address === address);
  if (!token) throw new AutoPayError('internal_error', `There are challenges for ${address}, but no terms.`);
  return ledger.upsertChannel(await deposits.deposit(deposit, token));
}

/** Promise.all that leaves no rejection unhandled when both fail. */
async function settleBoth<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  second.catch(() => undefined);
  return [await first, await second];
}

function requireSigner(channel: Pick<ChannelOnChain, 'channelId' | 'payer' | 'authorizedSigner'>, signer: Hex): void {
  const expected = channel.authorizedSigner === zeroAddress ? channel.payer : channel.authorizedSigner;
  if (signer === expected) return;
  throw new AutoPayError(
    'signer_mismatch',
    'The voucher is not signed by the key that may sign for this channel. Sign it with the channel’s authorizedSigner (or ' +
      'payer, if there is none), by ECDSA, for this escrow and chain.',
    { facts: { channelId: channel.channelId, signer } },
  );
}

function beyondDeposit({ channelId }: VerifiedVoucher, deposit: bigint): AutoPayError {
  const message = 'The voucher is beyond the deposit that comes with it. Sign a lower one, or deposit more.';
  return new AutoPayError('amount_exceeds_deposit', message, { facts: { channelId, deposit: String(deposit) } });
}

/** A channel that the ledger has not seen: by the transaction that opened it, or by its id. */
async function findNewChannel(
  { action, channelId, sent }: SessionRequest,
  finder: ChannelFinder,
): Promise<ChannelOnChain> {
  const channel =
    action === 'open' && sent ? await finder.findOpened(sent.hash, channelId) : await finder.find(channelId);
  if (channel) return channel;
  const message =
    'There is no such channel in the escrow contract. Open one (or wait for its transaction), and try again.';
  throw new AutoPayError('channel_not_found', message, { facts: { channelId } });
}

/** A top-up since the last look may have raised the deposit or ended a close; the chain is asked once. */
async function refreshIfNeeded(
  { finder, ledger }: PayersChannelOptions,
  channel: ChannelState,
  voucher: VerifiedVoucher,
): Promise<ChannelState> {
  const mayHaveChanged = voucher.cumulativeAmount > channel.deposit || channel.closeRequestedAt > 0;
  if (channel.finalized || !mayHaveChanged) return channel;
  if (!(await finder.refresh(channel.channelId, voucher.cumulativeAmount))) return channel;
  return (await ledger.getChannel(channel.channelId)) ?? channel;
}
