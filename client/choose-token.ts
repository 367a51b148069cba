import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { PayToken, RelayOffer } from './fetch-relay-terms.ts';
import type { WalletChannel } from './wallet-state.ts';

/** What the choice of a token depends on. */
export interface TokenChoice {
  offer: Pick<RelayOffer, 'tokens'>;
  /** What the owner asked for. */
  asked: Hex | undefined;
  /** The wallet's open channels with this relay. */
  channels: readonly Pick<WalletChannel, 'token'>[];
  /** The wallet's balance of a token, in atomic units; undefined without a chain. */
  balanceOf: ((token: Hex) => Promise<bigint>) | undefined;
}

/**
 * The token to pay in: the one that was asked for; else, in the relay's order, the first that the wallet has a channel in, or
 * has any of; else the relay's first.
 * @throws AutoPayError `challenge_invalid` if the relay takes none of what was asked for, or of what the wallet's channels hold
 */
export async function chooseToken({ offer, asked, channels, balanceOf }: TokenChoice): Promise<PayToken> {
  const { tokens } = offer;
  const [first] = tokens;
  if (asked !== undefined) return find(tokens, [asked.toLowerCase()]) ?? refuse(`not in ${asked}`, tokens);
  if (channels.length > 0) {
    const held = channels.map(({ token }) => token);
    // Without this, whoever takes a relay's address over could name a token of its own and be sent another deposit.
    return find(tokens, held) ?? refuse(`not in that of this wallet's channel, ${held[0]}`, tokens);
  }
  if (balanceOf && tokens.length > 1) {
    for (const token of tokens) if ((await balanceOf(token.address)) > 0n) return token;
  }
  return first ?? refuse('in no token at all', tokens);
}

function find(tokens: readonly PayToken[], wanted: readonly string[]): PayToken | undefined {
  return tokens.find(({ address }) => wanted.includes(address));
}

function refuse(what: string, tokens: readonly PayToken[]): never {
  const taken = tokens.map(({ symbol, address }) => `${symbol} (${address})`).join(', ');
  throw new AutoPayError(
    'challenge_invalid',
    `The relay is paid ${what}; it takes ${taken}. Nothing was signed. Choose one of these.`,
  );
}
