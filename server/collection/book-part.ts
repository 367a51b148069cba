import { encodeFunctionData, isAddressEqual, parseEventLogs, type TransactionReceipt } from 'viem';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { formatCallId, parseCallId } from '../../protocol/receipt/call-id.ts';
import { callChain } from '../chain/call-chain.ts';
import type { PendingBooking, RefundSum, SpendSum } from '../ledger/background-ledger.ts';
import type { CollectionDeps } from './collection-deps.ts';

/** One booking that succeeded. */
export interface BookedResult {
  /** The batch on the chain, decimal. */
  batchId: string;
  transactionHash: Hex;
  /** What was booked, atomic units, decimal. */
  amount: string;
  /** What went back to wallets, atomic units, decimal. */
  refunded: string;
  /** The parts of it that exceeded their model's budget: no credits until the governance releases them. */
  overBudget: OverBudgetSpend[];
}

/** A spend that was booked over budget. */
export interface OverBudgetSpend {
  /** Days since 1970-01-01 UTC. */
  day: number;
  model: string;
  provider: string;
  /** Atomic units, decimal. */
  amount: string;
}

/** What one transaction is to book, or has booked. */
export interface BookingPart {
  spends: readonly SpendSum[];
  refunds: readonly RefundSum[];
}

/**
 * Books a part of a collection under a purpose of its own.
 * @returns what it booked, which may be less than what was asked for now: it may have been sent by an earlier run.
 * @throws AutoPayError `transaction_reverted` with the contract's reason.
 */
export async function bookPart(
  deps: CollectionDeps,
  { purpose, pending, part }: { purpose: string; pending: PendingBooking; part: BookingPart },
): Promise<BookingPart & { result: BookedResult }> {
  const { queue, contracts } = deps;
  const data = encodeFunctionData({
    abi: autoPayLlmAbi,
    functionName: 'book',
    args: [
      pending.token,
      part.spends.map(({ day, model, provider, amount }) => {
        return { day, model: nameId(model), provider: nameId(provider), amount };
      }),
      part.refunds.map(({ callId, to, amount }) => ({ callId: toHex(parseCallId(callId)), to, amount })),
      await readLogSize(deps, pending),
    ],
  });
  const receipt = await queue.send({ purpose, to: contracts.autoPayLLM, data });
  const { booked, refunds } = readBooked(receipt, contracts.autoPayLLM);
  const named = booked.spends.map((spend) => ({ ...nameSpend(pending, spend), withinBudget: spend.withinBudget }));
  const overBudget = named
    .filter((spend) => !spend.withinBudget)
    .map(({ day, model, provider, amount }) => ({ day, model, provider, amount: amount.toString() }));
  const result: BookedResult = {
    batchId: booked.batchId.toString(),
    transactionHash: receipt.transactionHash,
    amount: booked.spent.toString(),
    refunded: booked.refunded.toString(),
    overBudget,
  };
  tellOverBudget(deps, result);
  return { result, spends: named, refunds };
}

/**
 * The log that has to be anchored before a release: what covers the charges, and never less than what is anchored already,
 * which the contract refuses.
 */
async function readLogSize({ client, contracts }: CollectionDeps, pending: PendingBooking): Promise<bigint> {
  const log = { address: contracts.auditLog, abi: auditLogAbi } as const;
  const anchored = await callChain('the size of the anchored log', () =>
    client.readContract({ ...log, functionName: 'latestSize' }),
  );
  const covering = BigInt(pending.logSize);
  return covering > anchored ? covering : anchored;
}

/** What the transaction booked and gave back, from its own events. */
function readBooked(receipt: TransactionReceipt, autoPayLLM: Hex) {
  const logs = receipt.logs.filter((log) => isAddressEqual(log.address, autoPayLLM));
  const event = parseEventLogs({ abi: autoPayLlmAbi, eventName: 'Booked', logs })[0];
  if (event === undefined) {
    throw new AutoPayError(
      'transaction_failed',
      `Transaction ${receipt.transactionHash} booked nothing. Check contracts.autoPayLLM.`,
    );
  }
  const refunds = parseEventLogs({ abi: autoPayLlmAbi, eventName: 'Refunded', logs }).map(({ args }): RefundSum => {
    const callId = formatCallId(Buffer.from(args.callId.slice(2), 'hex'));
    return { callId, to: args.to.toLowerCase() as Hex, amount: args.amount };
  });
  return { booked: event.args, refunds };
}

/** A spend of the chain with the names of the collection that it is of. */
function nameSpend(
  pending: PendingBooking,
  booked: { day: number; model: Hex; provider: Hex; amount: bigint },
): SpendSum {
  const { day, amount } = booked;
  const own = pending.spends.find(
    (spend) => spend.day === day && nameId(spend.model) === booked.model && nameId(spend.provider) === booked.provider,
  );
  if (own !== undefined) return { ...own, amount };
  throw new AutoPayError(
    'internal_error',
    `Collection ${pending.collectionId} was booked with a spend of day ${day} that it has not.`,
  );
}

function tellOverBudget({ log, toldBatches }: CollectionDeps, { batchId, overBudget }: BookedResult): void {
  if (toldBatches.has(batchId)) return;
  toldBatches.add(batchId);
  for (const spend of overBudget) {
    log.warn(
      { batchId, ...spend },
      `booked over budget: only a vote releases it (npx --no autopay gov propose release-over-budget ${batchId})`,
    );
  }
}
