import { encodeFunctionData, isAddressEqual, parseEventLogs, type TransactionReceipt } from 'viem';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { callChain } from '../chain/call-chain.ts';
import type { PendingBooking, SpendSum } from '../ledger/background-ledger.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { readShortBond } from './read-short-bond.ts';
import { registerName } from './register-name.ts';
import type { CollectionDeps } from './collection-deps.ts';
import { subtractSpends, takeSpends } from './cut-spends.ts';

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
 * Books what a collection brought in. The order of the spends is fixed by their names. Where the bond does not cover them
 * all, those go first that it covers, once in a run, and the rest waits. A run that takes up an interrupted one reads what
 * its parts booked from their transactions. What exceeded a budget is told to the log, once.
 * @throws AutoPayError `transaction_reverted` with the contract's reason (a provider without a payout address, say).
 */
export async function bookCollection(deps: CollectionDeps, pending: PendingBooking): Promise<BookedResult[]> {
  let left = pending.spends.filter((spend) => spend.amount > 0n).toSorted(compareSpends);
  const names = new Set(left.flatMap((spend) => [spend.model, spend.provider]));
  for (const name of names) await registerName(deps, name);

  const results: BookedResult[] = [];
  let mayCut = true;
  while (left.length > 0) {
    const part = results.length;
    const purpose = part === 0 ? `book:${pending.collectionId}` : `book:${pending.collectionId}/${part}`;
    const first = left.slice(0, maxSpendsPerBatch);
    let booked: BookedPart;
    try {
      booked = await bookPart(deps, { purpose, pending, spends: first });
    } catch (error) {
      const room = mayCut ? await readRoom(deps, pending.token, error) : 0n;
      if (room === 0n) throw error;
      mayCut = false;
      booked = await bookPart(deps, { purpose, pending, spends: takeSpends(first, room) });
    }
    results.push(booked.result);
    left = subtractSpends(left, booked.spends);
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
  for (const { batchId } of results) deps.toldBatches.delete(batchId);
  return results;
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

/** A booking, and what it booked, which may be less than what was asked for now: it may have been sent by an earlier run. */
interface BookedPart {
  result: BookedResult;
  spends: SpendSum[];
}

async function bookPart(
  deps: CollectionDeps,
  part: { purpose: string; pending: PendingBooking; spends: readonly SpendSum[] },
): Promise<BookedPart> {
  const { queue, contracts } = deps;
  const { purpose, pending } = part;
  const data = encodeFunctionData({
    abi: autoPayLlmAbi,
    functionName: 'book',
    args: [pending.token, part.spends.map(toChain), [], await readLogSize(deps, pending)],
  });
  const receipt = await queue.send({ purpose, to: contracts.autoPayLLM, data });
  const { batchId, spent, spends } = readBooked(receipt, contracts.autoPayLLM);
  const named = spends.map((spend) => ({ ...nameSpend(pending, spend), withinBudget: spend.withinBudget }));
  const overBudget = named
    .filter((spend) => !spend.withinBudget)
    .map(({ day, model, provider, amount }) => ({ day, model, provider, amount: amount.toString() }));
  const result: BookedResult = {
    batchId: batchId.toString(),
    transactionHash: receipt.transactionHash,
    amount: spent.toString(),
    overBudget,
  };
  tellOverBudget(deps, result);
  return { result, spends: named };
}

function toChain(spend: SpendSum) {
  return { day: spend.day, model: nameId(spend.model), provider: nameId(spend.provider), amount: spend.amount };
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

/** A part is cut to no less than the bond divided by this, so that small releases do not make many small bookings. */
const leastShareOfBond = 10n;

/** How much the bond still covers, after the chain refused a booking for it; 0 if that is too little, or the error another. */
async function readRoom({ client, contracts }: CollectionDeps, token: Hex, error: unknown): Promise<bigint> {
  if (readShortBond(error) === undefined) return 0n;
  const contract = { address: contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const [bond, unreleased] = await callChain('the free bond', () =>
    Promise.all([
      client.readContract({ ...contract, functionName: 'bondOf', args: [token] }),
      client.readContract({ ...contract, functionName: 'unreleased', args: [token] }),
    ]),
  );
  const covering = bond.amount - bond.frozen;
  const room = covering - unreleased;
  return room > 0n && room * leastShareOfBond >= covering ? room : 0n;
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
