import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelOnChain } from '../../ledger/ledger.ts';
import type { SessionTerms } from './session-terms.ts';

/**
 * Checks that a channel pays this relay, in the token of the challenge that its voucher answers.
 *
 * @param asked.token the challenge's
 * @throws AutoPayError `channel_wrong_payee`, `channel_wrong_token`
 */
export function requireOurChannel(
  channel: ChannelOnChain,
  { terms, token }: { terms: SessionTerms; token: Hex },
): void {
  const { channelId } = channel;
  const facts = { channelId, token: channel.token };
  if (channel.payee !== terms.recipient) {
    const message = `The channel pays another payee. Open one whose payee is ${terms.recipient}.`;
    throw new AutoPayError('channel_wrong_payee', message, { facts: { channelId } });
  }
  if (channel.token === token) return;
  if (terms.tokens.some(({ address }) => address === channel.token)) {
    const message =
      'The challenge asks for another token than the channel holds. Answer the one in the channel’s token.';
    throw new AutoPayError('channel_wrong_token', message, { facts });
  }
  const taken = terms.tokens.map(({ address, symbol }) => `${symbol}, ${address}`).join(', or ');
  const message = `The channel is in a token that this relay does not take. Open one in ${taken}.`;
  throw new AutoPayError('channel_wrong_token', message, { facts: { channelId } });
}
