import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { Collection } from '../background-ledger.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { CollectionStore } from '../collection-store.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';

/** The most charges that one collection covers, so that no transaction of the writer grows without bound. */
export const maxChargesPerCollection = 20_000;

/**
 * Assigns uncollected charges to a new collection of one token, the token of the most urgent channel. A channel is in one
 * open collection at a time: a claim is cumulative, so a later one would also take what an earlier one still may give back.
 * @returns undefined if nothing is to be collected.
 */
export function createOpenCollection(stores: { channels: ChannelStore; collections: CollectionStore }) {
  const { channels, collections } = stores;

  function pick(maxClaims: number, maxCharges: number) {
    const claims: Collection['claims'][number][] = [];
    let token: Hex | undefined;
    let roomForCharges = maxCharges;
    for (const candidate of collections.listCollectable()) {
      if (claims.length >= maxClaims || roomForCharges === 0) break;
      if (token !== undefined && candidate.token !== token) continue;
      const channel = channels.get(candidate.channelId);
      const last = collections.lastUncollected(candidate.channelId, roomForCharges);
      // Nothing to take: the escrow has paid for these already, so these are not the only books of the channel.
      if (last === undefined || last.runningTotal <= channel.settled) continue;
      if (channel.acceptedSignature === null) {
        throw new AutoPayError('internal_error', `Channel ${channel.channelId} has charges and no voucher.`);
      }
      token = candidate.token;
      roomForCharges -= last.count;
      claims.push({
        channel,
        maximum: channel.acceptedCumulative,
        signature: channel.acceptedSignature,
        claimed: last.runningTotal,
        throughSequence: last.sequence,
      });
    }
    return token === undefined ? undefined : { token, claims };
  }

  return function openCollection(options: { maxClaims: number; maxCharges?: number }): Collection | undefined {
    const picked = pick(options.maxClaims, options.maxCharges ?? maxChargesPerCollection);
    if (picked === undefined) return undefined;
    const id = collections.insert({ source: 'channels', token: picked.token });
    for (const claim of picked.claims) collections.insertClaim(id, claim);
    const row = collections.find(id);
    if (row === undefined) throw new AutoPayError('internal_error', `Collection ${id} was not stored.`);
    return collections.read(row);
  };
}
