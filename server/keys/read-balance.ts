import type { Hex } from '../../protocol/bytes/hex.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import type { KeyLedger } from '../ledger/key-ledger.ts';
import type { ChannelState } from '../ledger/ledger.ts';
import type { KeyCurrency, KeyToken } from './key-currency.ts';

/** What balances are read from. */
export interface BalanceDeps {
  ledger: Pick<KeyLedger, 'listKeyChannels'> & Pick<BackgroundLedger, 'listSpending'>;
  currency: KeyCurrency;
  tokens: readonly KeyToken[];
  /** A day's worth for a payer that has spent nothing yet, in the price currency. */
  suggestedHeadroom: string;
  /** Unix milliseconds. */
  nowMs: () => number;
}

const dayMs = 86_400_000;

/** A channel that keys spend from; amounts in atomic units of its token. */
export interface KeyBalance {
  channel: ChannelState;
  symbol: string;
  /** Signed, and neither spent nor held: what keys may spend now. */
  headroom: bigint;
  /** In escrow and not spent, signed or not: what comes back when the channel is closed now. */
  unspent: bigint;
  /** The voucher to sign for a day's worth from now on, never above the deposit. */
  suggestedCumulative: bigint;
}

/** The channels that a payer's keys spend from, with what to sign next. */
export async function readBalances(deps: BalanceDeps, payer: Hex): Promise<KeyBalance[]> {
  const channels = await deps.ledger.listKeyChannels(payer);
  const today = Math.floor(deps.nowMs() / dayMs);
  const spending = await deps.ledger.listSpending({ payer, sinceDay: today - 1, untilDay: today, groupBy: ['day'] });
  return channels.flatMap((channel) => {
    const token = deps.tokens.find(({ address }) => address === channel.token);
    // A token that the relay takes no more is spent by no key.
    if (!token) return [];
    const days = spending.filter((sum) => sum.token === channel.token).map(({ amount }) => amount);
    const worth = [startingWorth(deps, token), ...days].reduce((most, amount) => (amount > most ? amount : most));
    const owed = channel.charged + channel.reserved;
    const covered = least(channel.acceptedCumulative, channel.deposit);
    return {
      ...{ channel, symbol: token.symbol, unspent: channel.deposit - owed },
      headroom: covered > owed ? covered - owed : 0n,
      suggestedCumulative: least(owed + worth, channel.deposit),
    };
  });
}

/** Zero while the token has no price: then what was spent on the last days decides alone. */
function startingWorth({ currency, suggestedHeadroom }: BalanceDeps, token: KeyToken): bigint {
  return currency.fromToken(0n, token) === null ? 0n : currency.toToken(suggestedHeadroom, token);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** A balance as `GET /v1/balance` tells of it. */
export function describeBalance({ channel, headroom, suggestedCumulative, symbol, unspent }: KeyBalance): object {
  return {
    ...{ channelId: channel.channelId, token: channel.token, symbol, deposit: String(channel.deposit) },
    ...{ acceptedCumulative: String(channel.acceptedCumulative), spent: String(channel.charged) },
    ...{ reserved: String(channel.reserved), headroom: String(headroom), unspent: String(unspent) },
    suggestedCumulative: String(suggestedCumulative),
    ...{ closeRequestedAt: channel.closeRequestedAt, finalized: channel.finalized },
  };
}
