import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ErrorCode } from '../../../protocol/errors/error-codes.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChannelState, VerifiedVoucher } from '../ledger.ts';

/**
 * Raises what a channel's payer has signed by a voucher that admits no call. The highest voucher counts, whichever came first: a
 * lower one is accepted and changes nothing (MPP EVM session draft, "Idempotency").
 * @throws AutoPayError `channel_not_found`, `channel_finalized`, `channel_closing`, `channel_out_of_books`, `amount_exceeds_deposit`.
 */
export function createAcceptVoucher({ channels }: { channels: ChannelStore }) {
  return function acceptVoucher(voucher: VerifiedVoucher): ChannelState {
    const channel = channels.find(voucher.channelId);
    if (channel === undefined) {
      throw refuse('channel_not_found', 'The relay does not know this channel. Open one on the chain first.', voucher);
    }
    if (channel.finalized) throw refuse('channel_finalized', 'This channel is closed. Open another.', voucher);
    if (channel.closeRequestedAt !== 0) {
      throw refuse('channel_closing', 'A close of this channel is pending. Top it up, or open another.', voucher);
    }
    // As with a call: these are not the books of this channel.
    if (channel.settled > channel.charged) {
      throw refuse('channel_out_of_books', 'More was taken from it than the books know of. Open another.', voucher);
    }
    requireDeposit(channel, voucher);
    if (voucher.cumulativeAmount <= channel.acceptedCumulative) return channel;
    const after = {
      ...channel,
      acceptedCumulative: voucher.cumulativeAmount,
      acceptedSignature: voucher.signature,
    };
    channels.updateBooks(after);
    return after;
  };
}

/** @throws AutoPayError `amount_exceeds_deposit` for a voucher that the escrow would not honour. */
export function requireDeposit({ deposit, acceptedCumulative }: ChannelState, voucher: VerifiedVoucher): void {
  if (voucher.cumulativeAmount <= deposit) return;
  const message = 'The voucher is beyond the deposit of its channel. Sign a lower one, or top the channel up.';
  const facts = { deposit: String(deposit), acceptedCumulative: String(acceptedCumulative) };
  throw refuse('amount_exceeds_deposit', message, voucher, facts);
}

/** An error about a voucher’s channel. */
export function refuse(
  code: ErrorCode,
  message: string,
  { channelId }: Pick<VerifiedVoucher, 'channelId'>,
  more: Record<string, string> = {},
): AutoPayError {
  return new AutoPayError(code, message, { facts: { channelId, ...more } });
}
