import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelOnChain } from '../../ledger/ledger.ts';
import type { SessionTerms } from './session-terms.ts';

/**
 * Checks that a channel pays this relay, in its token.
 *
 * @throws AutoPayError `channel_wrong_payee`, `channel_wrong_token`
 */
export function requireOurChannel(channel: ChannelOnChain, terms: SessionTerms): void {
  const { channelId } = channel;
  if (channel.payee !== terms.recipient) {
    const message = `The channel pays another payee. Open one whose payee is ${terms.recipient}.`;
    throw new AutoPayError('channel_wrong_payee', message, { facts: { channelId } });
  }
  if (channel.token !== terms.token.address) {
    const message = `The channel is in another token. Open one in ${terms.token.symbol}, ${terms.token.address}.`;
    throw new AutoPayError('channel_wrong_token', message, { facts: { channelId } });
  }
}
