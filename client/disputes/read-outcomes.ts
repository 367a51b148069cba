import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { readEvents } from '../chain/read-events.ts';

/** What a dispute moved so far. Amounts are atomic units of its token. */
export interface DisputeOutcome {
  /** What the payer got of the relay's bond. */
  refunded: bigint;
  /** What of the relay's bond was burned. */
  burned: bigint;
  /** Where the claimant's bond went when the dispute ended; null if it is still held, or there was none. */
  bondReturn: { to: Hex; isPaid: boolean } | null;
}

/** The outcome of a dispute that has moved nothing. */
export const noOutcome: DisputeOutcome = { refunded: 0n, burned: 0n, bondReturn: null };

/**
 * What all disputes moved so far, by id, from the events: the contract keeps what is still due, not what was paid.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function readOutcomes(deployment: OpenDeployment): Promise<ReadonlyMap<bigint, DisputeOutcome>> {
  const source = { address: deployment.contracts.billingDisputes, abi: billingDisputesAbi } as const;
  const [upheld, paid, returned] = await Promise.all([
    readEvents(deployment, { ...source, eventName: 'DisputeUpheld' }),
    readEvents(deployment, { ...source, eventName: 'OutstandingPaid' }),
    readEvents(deployment, { ...source, eventName: 'BondReturned' }),
  ]);
  const outcomes = new Map<bigint, DisputeOutcome>();
  const pay = (id: bigint, refund: bigint, penalty: bigint): void => {
    const known = outcomes.get(id) ?? noOutcome;
    outcomes.set(id, { ...known, refunded: known.refunded + refund, burned: known.burned + penalty });
  };
  for (const { args } of upheld) pay(args.disputeId, args.refund, args.penalty);
  for (const { args } of paid) pay(args.disputeId, args.amount, args.penalty);
  for (const { args } of returned) {
    const bondReturn = { to: args.to.toLowerCase() as Hex, isPaid: args.paid };
    outcomes.set(args.disputeId, { ...(outcomes.get(args.disputeId) ?? noOutcome), bondReturn });
  }
  return outcomes;
}
