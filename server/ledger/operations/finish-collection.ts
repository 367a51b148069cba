import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CollectionOutcome } from '../background-ledger.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { CollectionRow, CollectionStore } from '../collection-store.ts';

interface Stores {
  channels: ChannelStore;
  collections: CollectionStore;
}

function get(collections: CollectionStore, id: number): CollectionRow {
  const row = collections.find(id);
  if (row === undefined) throw new AutoPayError('internal_error', `There is no collection ${id}.`);
  return row;
}

/**
 * Records that a collection's transaction succeeded. The charges of skipped channels become collectable again (a finalized
 * channel is never collected from, so its charges stay uncollected for ever: lost); the others count as settled. Repeating
 * it with the same transaction has no effect.
 * @throws AutoPayError `internal_error` if the collection is not open, or a skipped channel is not in it.
 */
export function createFinishCollection({ channels, collections }: Stores) {
  return function finishCollection(result: CollectionOutcome): void {
    const row = get(collections, result.id);
    if (row.transactionHash === result.transactionHash.toLowerCase()) return;
    if (row.state !== 'open') throw new AutoPayError('internal_error', `Collection ${row.id} is ${row.state}.`);
    const skipped = new Set(result.skipped.map((channelId) => channelId.toLowerCase()));
    const closed = new Set((result.closed ?? []).map((channelId) => channelId.toLowerCase()));
    for (const channelId of result.skipped) {
      collections.markSkipped(row.id, channelId);
      collections.returnCharges(row.id, channelId);
    }
    const taken = collections.read(row).claims.filter(({ channel }) => !skipped.has(channel.channelId));
    for (const { channel, claimed } of taken) {
      const settled = claimed > channel.settled ? claimed : channel.settled;
      const finalized = channel.finalized || closed.has(channel.channelId);
      channels.updateChainSide({ ...channel, settled, finalized });
    }
    // Nothing collected: nothing to book. A channel may be closed without owing anything.
    const isEmpty = taken.length === 0 || (row.closes && collections.sumSpends(row.id).spends.length === 0);
    const state = isEmpty ? 'booked' : 'collected';
    collections.update({ ...row, state, transactionHash: result.transactionHash });
  };
}

/**
 * Records that a collection failed as a whole; its charges are collectable again. Repeating it has no effect.
 * @throws AutoPayError `internal_error` if it succeeded before.
 */
export function createAbandonCollection({ collections }: Stores) {
  return function abandonCollection(id: number): void {
    const row = get(collections, id);
    if (row.state === 'abandoned') return;
    if (row.state !== 'open') throw new AutoPayError('internal_error', `Collection ${id} is ${row.state}.`);
    collections.returnCharges(id);
    collections.update({ ...row, state: 'abandoned' });
  };
}
