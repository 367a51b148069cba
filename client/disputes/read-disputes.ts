import type { ContractFunctionReturnType } from 'viem';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import {
  disputeKinds,
  disputeStates,
  type DisputeKind,
  type DisputeState,
} from '../../protocol/disputes/dispute-kinds.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { asChainError } from '../chain/send-transaction.ts';
import { noOutcome, readOutcomes, type DisputeOutcome } from './read-outcomes.ts';

/** A dispute as the chain has it, with what it moved so far. Amounts are atomic units of `token`. */
export interface DisputeStatus extends DisputeOutcome {
  id: bigint;
  kind: DisputeKind;
  state: DisputeState;
  /** Unix seconds. */
  openedAt: number;
  /** Unix seconds until which the relay may answer, or the governance rule; 0 where nobody need. */
  decidedBy: number;
  claimant: Hex;
  payer: Hex;
  token: Hex;
  channelId: Hex;
  sequence: bigint;
  /** What is claimed. */
  amount: bigint;
  /** What is burned if the claim holds. */
  penalty: bigint;
  /** What the claimant put up. */
  bond: bigint;
  /** What of the relay's bond is held. */
  frozen: bigint;
  /** What is still due of an upheld refund. */
  outstanding: bigint;
  /** What is still to be burned of the penalty of an upheld claim. */
  penaltyOutstanding: bigint;
}

/** Newest disputes that are listed; older ones are asked for by id. */
export const maxListedDisputes = 100;

/**
 * The newest disputes, oldest of them first; or one.
 * @throws AutoPayError `invalid_argument` if there is no dispute with this id; `chain_unavailable`.
 */
export async function readDisputes(deployment: OpenDeployment, id?: bigint): Promise<DisputeStatus[]> {
  const { reader, contracts } = deployment;
  const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
  try {
    const count = await reader.readContract({ ...disputes, functionName: 'disputeCount' });
    if (id !== undefined && (id === 0n || id > count)) {
      throw new AutoPayError('invalid_argument', `There is no dispute ${id}; so far there are ${count}.`);
    }
    const [answerWindow, rulingWindow] = await Promise.all([
      reader.readContract({ ...disputes, functionName: 'ANSWER_WINDOW' }),
      reader.readContract({ ...disputes, functionName: 'RULING_WINDOW' }),
    ]);
    const first = id ?? (count > maxListedDisputes ? count - BigInt(maxListedDisputes) + 1n : 1n);
    const ids = Array.from({ length: id === undefined ? Number(count - first + 1n) : 1 }, (_, i) => first + BigInt(i));
    const records = await Promise.all(
      ids.map((each) => reader.readContract({ ...disputes, functionName: 'getDispute', args: [each] })),
    );
    // Events are only read where something has ended.
    const isAnyOver = records.some(({ state }) => disputeStates[state] !== 'open');
    const outcomes = isAnyOver ? await readOutcomes(deployment) : new Map<bigint, DisputeOutcome>();
    return ids.flatMap((each, i) => {
      const record = records[i];
      if (!record) return [];
      const kind = disputeKinds[record.kind] ?? 'none';
      const window = Number(kind === 'metering' ? rulingWindow : answerWindow);
      return [{ ...toStatus(record, { id: each, kind, window }), ...(outcomes.get(each) ?? noOutcome) }];
    });
  } catch (error) {
    throw asChainError(error, 'Reading the disputes');
  }
}

/** IBillingDisputes.Dispute, as far as it is shown. */
type DisputeRecord = ContractFunctionReturnType<typeof billingDisputesAbi, 'view', 'getDispute'>;

function toStatus(
  record: DisputeRecord,
  { id, kind, window }: { id: bigint; kind: DisputeKind; window: number },
): Omit<DisputeStatus, keyof DisputeOutcome> {
  const state = disputeStates[record.state] ?? 'none';
  const { openedAt, claimant, payer, token, channelId, sequence } = record;
  const { amount, penalty, bond, frozen, outstanding, penaltyOutstanding } = record;
  return {
    ...{ id, kind, state, openedAt, decidedBy: state === 'open' ? openedAt + window : 0 },
    ...{ claimant, payer, token: token.toLowerCase() as Hex, channelId, sequence },
    ...{ amount, penalty, bond, frozen, outstanding, penaltyOutstanding },
  };
}
