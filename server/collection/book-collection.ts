import { encodeFunctionData, isAddressEqual, parseEventLogs, type TransactionReceipt } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { PendingBooking, SpendSum } from '../ledger/background-ledger.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { registerName } from './register-name.ts';
import type { CollectionDeps } from './collection-deps.ts';

/** One booking that succeeded. */
export interface BookedResult {
  /** The batch on the chain, decimal. */
  batchId: string;
  transactionHash: Hex;
  /** What was booked, atomic units, decimal. */
  amount: string;
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

/** AutoPayLLM.MAX_SPENDS: a collection over more (day, model, provider) is booked in several batches. */
export const maxSpendsPerBatch = 128;

/**
 * Books what a collection brought in. The order of the spends is fixed by their names, so that a run that takes up an
 * interrupted one cuts the same batches. What exceeded a budget is told to the log.
 * @throws AutoPayError `transaction_reverted` with the contract's reason (a provider without a payout address, say).
 */
export async function bookCollection(deps: CollectionDeps, pending: PendingBooking): Promise<BookedResult[]> {
  const spends = pending.spends.filter((spend) => spend.amount > 0n).toSorted(compareSpends);
  const names = new Set(spends.flatMap((spend) => [spend.model, spend.provider]));
  for (const name of names) await registerName(deps, name);

  const results: BookedResult[] = [];
  for (let start = 0; start < spends.length; start += maxSpendsPerBatch) {
    const part = start / maxSpendsPerBatch;
    const purpose = part === 0 ? `book:${pending.collectionId}` : `book:${pending.collectionId}/${part}`;
    results.push(await bookPart(deps, { purpose, pending, spends: spends.slice(start, start + maxSpendsPerBatch) }));
  }
  const last = results.at(-1);
  if (last === undefined) {
    throw new AutoPayError(
      'internal_error',
      `Collection ${pending.collectionId} waits to be booked but has no spending.`,
    );
  }
  await deps.ledger.finishBooking({
    collectionId: pending.collectionId,
    batchId: BigInt(last.batchId),
    transactionHash: last.transactionHash,
  });
  return results;
}

async function bookPart(
  { queue, contracts, log }: CollectionDeps,
  part: { purpose: string; pending: PendingBooking; spends: readonly SpendSum[] },
): Promise<BookedResult> {
  const spends = part.spends.map((spend) => ({
    day: spend.day,
    model: nameId(spend.model),
    provider: nameId(spend.provider),
    amount: spend.amount,
  }));
  const data = encodeFunctionData({
    abi: autoPayLlmAbi,
    functionName: 'book',
    args: [part.pending.token, spends, [], BigInt(part.pending.logSize)],
  });
  const receipt = await queue.send({ purpose: part.purpose, to: contracts.autoPayLLM, data });
  const { batchId, spent, spends: booked } = readBooked(receipt, contracts.autoPayLLM);
  // The contract books them in the order in which they were given.
  const overBudget = part.spends.flatMap(({ day, model, provider, amount }, index): OverBudgetSpend[] =>
    booked[index]?.withinBudget === false ? [{ day, model, provider, amount: amount.toString() }] : [],
  );
  for (const spend of overBudget) {
    log.warn(
      { batchId: batchId.toString(), ...spend },
      `booked over budget: only a vote releases it (npx --no autopay gov propose release-over-budget ${batchId})`,
    );
  }
  return {
    batchId: batchId.toString(),
    transactionHash: receipt.transactionHash,
    amount: spent.toString(),
    overBudget,
  };
}

function readBooked(receipt: TransactionReceipt, autoPayLLM: Hex) {
  const logs = receipt.logs.filter((log) => isAddressEqual(log.address, autoPayLLM));
  const event = parseEventLogs({ abi: autoPayLlmAbi, eventName: 'Booked', logs })[0];
  if (event !== undefined) return event.args;
  throw new AutoPayError(
    'transaction_failed',
    `Transaction ${receipt.transactionHash} booked nothing. Check contracts.autoPayLLM.`,
  );
}

function compareSpends(a: SpendSum, b: SpendSum): number {
  return a.day - b.day || compareText(a.model, b.model) || compareText(a.provider, b.provider);
}

/** By code units: the same on every machine, whatever its locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
