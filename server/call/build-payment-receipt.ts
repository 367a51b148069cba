import type { ChargeResult } from '../ledger/ledger.ts';
import type { CallContext } from './call-context.ts';

/**
 * The JSON of MPP's `Payment-Receipt` (EVM session draft, "Receipt Generation"); null where no channel paid or the
 * payment answered no challenge. Amounts are decimal strings.
 */
export function buildPaymentReceipt(
  context: Pick<CallContext, 'deps' | 'request'>,
  { channel, receipt }: Pick<ChargeResult, 'channel' | 'receipt'>,
): string | null {
  const { challengeId } = context.request.payment;
  if (!channel || challengeId === undefined) return null;
  return JSON.stringify({
    method: 'evm',
    intent: 'session',
    status: 'success',
    timestamp: new Date(receipt.chargedAtMs).toISOString(),
    reference: channel.channelId,
    challengeId,
    channelId: channel.channelId,
    acceptedCumulative: String(channel.acceptedCumulative),
    spent: String(receipt.runningTotal),
    chainId: context.deps.chainId,
    units: receipt.usage.prompt + receipt.usage.completion,
  });
}
