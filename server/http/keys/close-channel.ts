import type { RequestHandler } from 'express';
import { isHex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { ChannelCloser } from '../../payments/evm-session/close-channel.ts';
import { readPrincipal, requireManager, type PrincipalDeps } from './read-principal.ts';

/** What the closing of channels needs. */
export interface CloseChannelDeps extends PrincipalDeps {
  ledger: Pick<Ledger, 'getChannel'>;
  closer: Pick<ChannelCloser, 'close'>;
}

/**
 * `POST /v1/channels/{id}/close`: the relay takes what was charged, and the rest of the deposit goes back to the payer in the same
 * transaction. Whoever may manage the payer's keys may ask; the money goes to the payer whoever asks.
 */
export function createCloseChannelHandler(deps: CloseChannelDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const payer = requireManager(await readPrincipal(request, deps));
    const id = request.params.id.toLowerCase();
    const known = isHex(id, 32) ? await deps.ledger.getChannel(id) : undefined;
    if (known?.payer !== payer) {
      throw new AutoPayError('not_found', 'This payer has no such channel here. GET /v1/balance lists them.', {
        param: 'id',
      });
    }
    const { channel, transactionHash } = await deps.closer.close(known, null);
    response.json({
      ...{ channelId: channel.channelId, transactionHash, spent: String(channel.charged) },
      returned: String(channel.deposit - channel.charged),
    });
  };
}
