import type { PurchaseRefusal } from '../ledger/purchase-ledger.ts';
import type { Declined } from './upstream-payer.ts';

const words: Record<PurchaseRefusal, string> = {
  attempt_paid: 'this attempt was paid for before',
  nonce_used: 'the seller asks twice for the same authorization',
  call_limit: 'its attempts at this call would together be above the limit for one call',
  day_limit: 'the limit of the day is reached',
  no_channel: 'the channel is not open yet, or its deposit is not final',
  stopped: 'the channel was stopped, because the seller’s receipts did not fit',
  deposit_low: 'the rest of the channel’s deposit does not cover the call',
};

/** Why the books gave no leave to pay. */
export function describeRefusal(reason: PurchaseRefusal): Declined {
  return { declined: words[reason] };
}
