import type { ChannelState, Funds, ReserveRefusal } from '../ledger/ledger.ts';
import type { Admission } from './types.ts';

/** What a call may cost by what is known of its funds; null for a payment of a fixed amount. */
export function headroomOf(funds: Funds, { channel, headroom }: Admission): bigint | null {
  if (funds.kind === 'direct') return headroom;
  const onChannel = channelHeadroom(channel, funds);
  return headroom === null || onChannel < headroom ? onChannel : headroom;
}

/** What the payer has authorised, this voucher included, and neither spent nor reserved. */
function channelHeadroom(channel: ChannelState | null, funds: Funds): bigint {
  if (!channel) return 0n;
  const { acceptedCumulative, charged, reserved } = channel;
  const signed = funds.kind === 'voucher' ? funds.voucher.cumulativeAmount : 0n;
  return (signed > acceptedCumulative ? signed : acceptedCumulative) - charged - reserved;
}

/** What the ledger says is left, where a smaller quote could be held; null where none could. */
export function roomAfter(refusal: ReserveRefusal, { funds, headroom }: Admission): bigint | null {
  if (funds === null || (funds.kind === 'direct' && headroom === null)) return null;
  const { code, scope, availableAllowance } = refusal;
  if (code === 'scope_exceeded' && scope) return scope.limit - scope.charged - scope.reserved;
  if (code === 'insufficient_allowance') return availableAllowance ?? null;
  return code === 'insufficient_headroom' && funds.kind !== 'direct' ? channelHeadroom(refusal.channel, funds) : null;
}
