/** IBillingDisputes.DisputeKind, in its order; the names are those of evidence files. */
export const disputeKinds = [
  'none',
  'duplicate-sequence',
  'wrong-running-total',
  'rewritten-index',
  'overcharge',
  'unpublished-prices',
  'settled-beyond-receipt',
  'not-in-log',
  'metering',
] as const;
export type DisputeKind = (typeof disputeKinds)[number];

/** IBillingDisputes.DisputeState, in its order. */
export const disputeStates = ['none', 'open', 'answered', 'upheld', 'rejected', 'expired'] as const;
export type DisputeState = (typeof disputeStates)[number];
