import { zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { KeyLedger } from '../ledger/key-ledger.ts';
import type { ChannelOnChain, ChannelState, Ledger, VerifiedVoucher } from '../ledger/ledger.ts';
import type { KeyCache } from './key-cache.ts';

/** What headroom is posted with. */
export interface PostHeadroomDeps {
  ledger: Pick<KeyLedger, 'acceptHeadroom'> & Pick<Ledger, 'getChannel' | 'upsertChannel'>;
  /** Who signed a voucher; `invalid_signature` if nobody. */
  recoverer: { recover(voucher: VerifiedVoucher): Promise<Hex> };
  /** Finds channels that the books do not know, within bounds. */
  finder: {
    find(channelId: Hex): Promise<ChannelOnChain | undefined>;
    refresh(channelId: Hex, wanted: bigint): Promise<unknown>;
  };
  cache: Pick<KeyCache, 'clear'>;
  /** Throws unless the channel pays this relay in one of its tokens. */
  requireOurChannel(channel: ChannelOnChain): void;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/**
 * Takes a voucher as what the keys of a channel's payer may spend. The signature alone decides: whoever may sign for the channel may
 * say so, and nobody else learns or changes anything about it.
 *
 * @param options.payer whose channel it has to be; null for anybody's
 * @throws AutoPayError `invalid_signature`, `signer_mismatch`, `channel_not_found`, `channel_wrong_payee`, `channel_wrong_token`,
 * and what `KeyLedger.acceptHeadroom` throws
 */
export async function postHeadroom(
  deps: PostHeadroomDeps,
  { voucher, payer }: { voucher: VerifiedVoucher; payer: Hex | null },
): Promise<ChannelState> {
  const { cache, finder, ledger } = deps;
  const signer = await deps.recoverer.recover(voucher);
  const known = await ledger.getChannel(voucher.channelId);
  const channel = known ?? (await finder.find(voucher.channelId));
  if (!channel) {
    const message =
      'There is no such channel in the escrow contract. Open one (or wait for its transaction), and try again.';
    throw new AutoPayError('channel_not_found', message, { facts: { channelId: voucher.channelId } });
  }
  requireSigner(channel, signer);
  if (payer !== null && channel.payer !== payer) {
    const message = `This channel is paid by ${channel.payer}. Log in with that wallet, or post headroom on your own channel.`;
    throw new AutoPayError('forbidden', message, { facts: { channelId: channel.channelId } });
  }
  deps.requireOurChannel(channel);
  if (!known) await ledger.upsertChannel(channel);
  // A top-up since the last look may have raised the deposit or ended a close.
  else if (voucher.cumulativeAmount > known.deposit || known.closeRequestedAt !== 0)
    await finder.refresh(known.channelId, voucher.cumulativeAmount);
  const after = await ledger.acceptHeadroom({ voucher, nowMs: deps.nowMs() });
  cache.clear();
  return after;
}

function requireSigner({ authorizedSigner, channelId, payer }: ChannelOnChain, signer: Hex): void {
  if (signer === (authorizedSigner === zeroAddress ? payer : authorizedSigner)) return;
  const message =
    'The voucher is not signed by the key that may sign for this channel. Sign it with the channel’s authorizedSigner (or payer, if there is none).';
  throw new AutoPayError('signer_mismatch', message, { facts: { channelId, signer } });
}
