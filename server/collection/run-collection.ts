import { encodeFunctionData, isAddressEqual, parseEventLogs, type TransactionReceipt } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { callChain } from '../chain/call-chain.ts';
import { listClosures } from '../chain/list-closures.ts';
import { isReverted } from '../chain/send-queued-transactions.ts';
import type { Collection } from '../ledger/background-ledger.ts';
import { bookCollection } from './book-collection.ts';
import type { BookedResult } from './book-part.ts';
import { readShortBond } from './read-short-bond.ts';
import type { CollectionDeps } from './collection-deps.ts';
import { encodeClaims } from './encode-claims.ts';

/** One collection that succeeded. */
export interface CollectedResult {
  collectionId: number;
  transactionHash: Hex;
  /** What arrived, atomic units, decimal. */
  amount: string;
  /** Channels that were asked for. */
  channels: number;
  /** Channels that the escrow skipped. */
  skipped: Hex[];
  /** Channels that were closed, because their payers asked. */
  closed: Hex[];
}

/** Bookings of one token that were not sent, because the relay's bond does not cover the first of them. */
export interface PostponedBookings {
  token: Hex;
  /** How many wait: that one, and those behind it. */
  bookings: number;
  /** What has to be deposited, or released, before the first; atomic units, decimal. */
  missingBond: string;
}

/** What a run did; the first two lists are empty if there was nothing to do. */
export interface CollectionResult {
  collected: CollectedResult[];
  booked: BookedResult[];
  /** Tried again by the next run. */
  postponed: PostponedBookings[];
  nothingToDo?: true;
}

/** Bounds one run; what is left waits for the next. */
const maxCollectionsPerRun = 50;
/** What was paid call by call is booked in sets of this size: some transactions' worth of refunds. */
const maxPaymentsPerBooking = 500;

/**
 * Collects what channels owe and books what it was for, and what settled direct payments were for. Every step is stored before the next begins and finds its own
 * traces, so a run that was killed anywhere is taken up by the next without collecting or booking twice.
 * @throws AutoPayError of the first step that failed; what failed is tried again by the next run, and a booking that
 * fails stops no other. One that the bond does not cover is postponed, which is no failure: the money has arrived.
 */
export async function runCollection(deps: CollectionDeps): Promise<CollectionResult> {
  const { ledger } = deps;
  const collected: CollectedResult[] = [];
  for (const collection of await ledger.listOpenCollections()) {
    const result = await settleCollection(deps, collection);
    if (result !== undefined) collected.push(result);
  }
  for (let round = 0; round < maxCollectionsPerRun; round += 1) {
    const collection = await ledger.openCollection({ maxClaims: deps.maxClaims });
    if (collection === undefined) break;
    const result = await settleCollection(deps, collection);
    if (result !== undefined) collected.push(result);
    // What was skipped or given up is collectable again: in the next run, or this one would never end.
    if (result === undefined || result.skipped.length > 0) break;
  }
  for (let round = 0; round < maxCollectionsPerRun; round += 1) {
    if ((await ledger.openPaymentBooking({ maxPayments: maxPaymentsPerBooking })) === undefined) break;
  }
  const { booked, postponed } = await bookAll(deps);
  const nothingToDo = collected.length === 0 && booked.length === 0;
  return { collected, booked, postponed, ...(nothingToDo ? { nothingToDo: true as const } : {}) };
}

/**
 * Sends one collection, or takes up its transaction. Safe to be run twice at once: there is one transaction for each.
 * @returns undefined if it came to nothing and was given up
 */
export async function settleCollection(
  deps: CollectionDeps,
  collection: Collection,
): Promise<CollectedResult | undefined> {
  const { ledger, queue, log, contracts } = deps;
  const { closes } = collection;
  const purpose = `${closes ? 'close' : 'collect'}:${collection.id}`;
  const data = encodeFunctionData({
    abi: autoPayLlmAbi,
    functionName: closes ? 'closeChannels' : 'collect',
    args: [collection.token, toHex(encodeClaims(collection.claims))],
  });
  let receipt: TransactionReceipt;
  try {
    const isNew = (await ledger.getTransaction(purpose)) === undefined;
    // A close may take nothing: it gives back.
    if (isNew && !closes && (await wouldCollectNothing(deps, data))) {
      log.warn(
        { collectionId: collection.id, channels: collection.claims.length },
        'every claim would be skipped; nothing was sent',
      );
      await ledger.abandonCollection(collection.id);
      return undefined;
    }
    receipt = await queue.send({ purpose, to: contracts.autoPayLLM, data });
  } catch (error) {
    if (isReverted(error)) await ledger.abandonCollection(collection.id);
    throw error;
  }
  const outcome = readOutcome(deps, receipt);
  await ledger.finishCollection({
    id: collection.id,
    transactionHash: receipt.transactionHash,
    skipped: outcome.skipped,
    closed: outcome.closed,
  });
  for (const skip of outcome.skips) log.warn({ collectionId: collection.id, ...skip }, 'the escrow skipped a claim');
  return {
    collectionId: collection.id,
    transactionHash: receipt.transactionHash,
    amount: outcome.amount.toString(),
    channels: collection.claims.length,
    skipped: outcome.skipped,
    closed: outcome.closed,
  };
}

/** A simulated run that brings nothing is not worth its gas. */
async function wouldCollectNothing(deps: CollectionDeps, data: Hex): Promise<boolean> {
  const to = deps.contracts.autoPayLLM;
  const answer = await callChain('a simulated collection', () => deps.client.call({ account: deps.relay, to, data }));
  return answer.data !== undefined && BigInt(answer.data) === 0n;
}

/** What the transaction did, from its own events. */
function readOutcome({ contracts }: CollectionDeps, receipt: TransactionReceipt) {
  const of = (address: Hex) => receipt.logs.filter((log) => isAddressEqual(log.address, address));
  const arrivals = parseEventLogs({ abi: autoPayLlmAbi, eventName: 'Collected', logs: of(contracts.autoPayLLM) });
  const escrowLogs = { abi: paymentChannelsAbi, logs: of(contracts.paymentChannels) };
  const skips = parseEventLogs({ ...escrowLogs, eventName: 'ClaimSkipped' }).map((event) => ({
    channelId: event.args.channelId,
    reason: claimFaults[event.args.reason] ?? `fault ${event.args.reason}`,
  }));
  const amount = arrivals.reduce((sum, event) => sum + event.args.amount, 0n);
  const skipped = skips.filter(({ reason }) => reason !== refundFailed).map((skip) => skip.channelId);
  const closed = parseEventLogs({ ...escrowLogs, eventName: 'BatchClosed' }).flatMap(({ args }) => {
    return listClosures(args.closures).map(({ channelId }) => channelId);
  });
  return { amount, skips, skipped, closed };
}

/** The channel took no refund, so it stays open, but what it owed has been taken. */
const refundFailed = 'refund failed';

/** `ClaimFault` of contracts/types/Claim.sol. */
const claimFaults = [
  'none',
  'channel not found',
  'channel finalized',
  'amount not increasing',
  'claim exceeds voucher',
  'amount exceeds deposit',
  'invalid signature',
  refundFailed,
] as const;

/**
 * Books every collection that waits, those behind any number of unbookable ones too; the first failure is thrown once all
 * have been tried. Without an answer from the chain there is no use in trying the rest; and where the bond does not cover a
 * booking, those of its token behind it wait too, so that small ones never keep a large one waiting for ever.
 */
async function bookAll(deps: CollectionDeps): Promise<Pick<CollectionResult, 'booked' | 'postponed'>> {
  const booked: BookedResult[] = [];
  const failures: unknown[] = [];
  const postponed = new Map<Hex, PostponedBookings>();
  let page = await deps.ledger.listPendingBookings();
  while (page.length > 0) {
    for (const pending of page) {
      const short = postponed.get(pending.token);
      if (short !== undefined) {
        short.bookings += 1;
        continue;
      }
      try {
        booked.push(...(await bookCollection(deps, pending)));
        deps.shortBonds.delete(pending.token);
      } catch (error) {
        if (error instanceof AutoPayError && error.code === 'chain_unavailable') throw error;
        const missing = readShortBond(error);
        if (missing !== undefined) postponed.set(pending.token, postpone(deps, pending.token, missing));
        else if (failures.length === 0) failures.push(error);
      }
    }
    page = await deps.ledger.listPendingBookings({ after: page.at(-1)?.collectionId ?? 0 });
  }
  if (failures.length > 0) throw failures[0];
  return { booked, postponed: [...postponed.values()] };
}

/** Leaves the bookings of a token for later, and tells the log where that is new. */
function postpone({ log, shortBonds }: CollectionDeps, token: Hex, missing: bigint): PostponedBookings {
  const missingBond = missing.toString();
  if (shortBonds.get(token) !== missing) {
    shortBonds.set(token, missing);
    log.warn(
      { token, missingBond },
      'bookings wait: deposit the missing bond with AutoPayLLM.depositBond, or wait for releases; what is booked later than the UTC day after its calls is over budget, and only a vote releases it',
    );
  }
  return { token, bookings: 1, missingBond };
}
