import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { callChain } from '../chain/call-chain.ts';
import type { PendingBooking, RefundSum, SpendSum } from '../ledger/background-ledger.ts';
import { bookPart, type BookedResult, type BookingPart } from './book-part.ts';
import type { CollectionDeps } from './collection-deps.ts';
import { subtractSpends, takeSpends } from './cut-spends.ts';
import { readShortBond } from './read-short-bond.ts';
import { registerName } from './register-name.ts';

/** AutoPayLLM.MAX_SPENDS: a collection over more (day, model, provider) is booked in several batches. */
export const maxSpendsPerBatch = 128;
/** AutoPayLLM.MAX_REFUNDS: so is one that gives something back to more wallets. */
export const maxRefundsPerBatch = 64;

/**
 * Books what a collection brought in, and gives back what payments at a fixed price brought in beyond their charges. The
 * order is fixed by names and addresses. Where the bond does not cover all spends, those go first that it covers, once in a
 * run, and the rest waits; refunds need no bond. A run that takes up an interrupted one reads what its parts booked from
 * their transactions, so that nothing is booked or given back twice. What exceeded a budget is told to the log, once.
 * @throws AutoPayError `transaction_reverted` with the contract's reason (a provider without a payout address, say).
 */
export async function bookCollection(deps: CollectionDeps, pending: PendingBooking): Promise<BookedResult[]> {
  let spends = pending.spends.filter((spend) => spend.amount > 0n).toSorted(compareSpends);
  let refunds = pending.refunds.toSorted((a, b) => compareText(a.to, b.to));
  const names = new Set(spends.flatMap((spend) => [spend.model, spend.provider]));
  for (const name of names) await registerName(deps, name);

  const results: BookedResult[] = [];
  let mayCut = true;
  while (spends.length > 0 || refunds.length > 0) {
    const number = results.length;
    const purpose = number === 0 ? `book:${pending.collectionId}` : `book:${pending.collectionId}/${number}`;
    const first = { spends: spends.slice(0, maxSpendsPerBatch), refunds: refunds.slice(0, maxRefundsPerBatch) };
    let booked;
    try {
      booked = await bookPart(deps, { purpose, pending, part: first });
    } catch (error) {
      const part = mayCut ? await cutToBond(deps, { token: pending.token, part: first, error }) : undefined;
      if (part === undefined) throw error;
      mayCut = false;
      booked = await bookPart(deps, { purpose, pending, part });
    }
    results.push(booked.result);
    spends = subtractSpends(spends, booked.spends);
    refunds = subtractRefunds(refunds, booked.refunds);
  }
  await finish(deps, pending, results);
  return results;
}

async function finish(deps: CollectionDeps, { collectionId }: PendingBooking, results: BookedResult[]): Promise<void> {
  const last = results.at(-1);
  if (last === undefined) {
    throw new AutoPayError('internal_error', `Collection ${collectionId} waits to be booked but has no spending.`);
  }
  const { batchId, transactionHash } = last;
  await deps.ledger.finishBooking({ collectionId, batchId: BigInt(batchId), transactionHash });
  for (const result of results) deps.toldBatches.delete(result.batchId);
}

/** A part is cut to no less than the bond divided by this, so that small releases do not make many small bookings. */
const leastShareOfBond = 10n;

/**
 * What of a part can be booked after the chain refused it: as much as the bond still covers, and all refunds. Undefined if
 * that is too little, or the refusal another.
 */
async function cutToBond(
  { client, contracts }: CollectionDeps,
  { token, part, error }: { token: Hex; part: BookingPart; error: unknown },
): Promise<BookingPart | undefined> {
  if (readShortBond(error) === undefined) return undefined;
  const contract = { address: contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const [bond, unreleased] = await callChain('the free bond', () =>
    Promise.all([
      client.readContract({ ...contract, functionName: 'bondOf', args: [token] }),
      client.readContract({ ...contract, functionName: 'unreleased', args: [token] }),
    ]),
  );
  const covering = bond.amount - bond.frozen;
  const room = covering - unreleased;
  const isWorthIt = room > 0n && room * leastShareOfBond >= covering;
  const spends = isWorthIt ? takeSpends(part.spends, room) : [];
  return spends.length === 0 && part.refunds.length === 0 ? undefined : { ...part, spends };
}

/** What is still to be given back. One part names a wallet once, so a wallet's refund goes whole or not at all. */
function subtractRefunds(refunds: readonly RefundSum[], given: readonly RefundSum[]): RefundSum[] {
  const wallets = new Set(given.map(({ to }) => to));
  return refunds.filter(({ to }) => !wallets.has(to));
}

function compareSpends(a: SpendSum, b: SpendSum): number {
  return a.day - b.day || compareText(a.model, b.model) || compareText(a.provider, b.provider);
}

/** By code units: the same on every machine, whatever its locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
