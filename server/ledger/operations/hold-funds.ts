import { larger } from '../../../protocol/bytes/compare-amounts.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { ChannelState, ReserveRefusal, ReserveRequest } from '../ledger.ts';

/** What the writer decided. */
export type ReserveDecision = { ok: true; channel: ChannelState | null } | { ok: false; refusal: ReserveRefusal };

/** What a reservation would do to what pays for it, or why it cannot. Nothing is written until `write` is called. */
export type FundsPlan = { ok: true; channel: ChannelPlan | null; token: Hex; write: () => void } | Refused;

/** A channel as it is and as the reservation would leave it. */
export interface ChannelPlan {
  before: ChannelState;
  after: ChannelState;
}

/** A refusal, which changes nothing. */
export type Refused = Extract<ReserveDecision, { ok: false }>;

/** A refusal with the numbers that mend it. */
export function refuse(
  code: ReserveRefusal['code'],
  { channel, request }: { channel: ChannelState | null; request: Pick<ReserveRequest, 'quote'> },
  more: Partial<Omit<ReserveRefusal, 'code' | 'channel' | 'requiredCumulative'>> = {},
): Refused {
  const { quote } = request;
  const requiredCumulative =
    channel === null ? quote : larger(channel.charged + channel.reserved + quote, channel.acceptedCumulative + 1n);
  return { ok: false, refusal: { code, channel, requiredCumulative, ...more } };
}
