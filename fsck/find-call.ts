import { parseCallId } from '../protocol/receipt/call-id.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { ChainAnchor } from './chain-reader.ts';
import { headOf } from './find-anchor.ts';
import { isOfCall } from './scan-entry.ts';
import { proveInTail, TreeTail } from './tree-tail.ts';
import type { ClaimList } from './verification.ts';
import type { ChannelView } from './verify-channel.ts';
import type { LogWalk, WalkedBlock } from './walk-log.ts';

/** Where a call stands, with what proves it. */
export interface CallPlace {
  entry: Uint8Array;
  index: number;
  block: WalkedBlock;
  leafHash: Uint8Array;
  path: Uint8Array[];
}

/** What a call is looked for by. */
interface WantedCall {
  callId: string;
  /** The receipt that the client got. */
  signedReceipt?: SignedReceipt;
  /** The log, not walked yet. */
  walk: LogWalk;
  /** Told of each block that is read. */
  view: ChannelView | undefined;
  anchor: ChainAnchor;
}

/** Walks from the anchored block back to the one that holds the call, or to the beginning. */
export async function findCall(claims: ClaimList, wanted: WantedCall): Promise<CallPlace | undefined> {
  const { walk, view, anchor, callId } = wanted;
  const id = parseCallId(callId);
  const tail = new TreeTail(walk.size);
  let place: CallPlace | undefined;
  const isRead = await claims.run('blocks_content_addressed', async () => {
    for (let block = await walk.back(); block !== undefined; block = await walk.back()) {
      const position = block.entries.findIndex((entry) => isOfCall(entry, id));
      view?.read(block);
      if (position >= 0) {
        place = placeOf(block, tail, { position, size: walk.size });
        break;
      }
      tail.prepend(block.leafHashes);
    }
    claims.add('blocks_content_addressed', true, describeBlocks(walk, anchor));
  });
  if (isRead && place === undefined) {
    claims.add('included', false, `no entry of the anchored log is call ${callId}; ${adviceFor(wanted)}`);
  }
  return place;
}

function placeOf(
  block: WalkedBlock,
  tail: TreeTail,
  { position, size }: { position: number; size: number },
): CallPlace {
  const index = block.start + position;
  const path = proveInTail(block, tail, { index, size });
  const none = new Uint8Array();
  return { entry: block.entries[position] ?? none, leafHash: block.leafHashes[position] ?? none, index, block, path };
}

/** What was read of the blocks, and what it shows. */
export function describeBlocks(walk: LogWalk, anchor: ChainAnchor): string {
  const from = headOf(anchor).cid.toString();
  return `${walk.blockCount} block(s) from ${from} back have the bytes that their CIDs name, continue one another and lead to the anchored root`;
}

/** A receipt that is younger than the newest anchor says nothing of the relay; an older one does. */
function adviceFor({ signedReceipt, callId, anchor }: WantedCall): string {
  const sinceMs = signedReceipt && Number(anchor.anchoredAt) * 1_000 - signedReceipt.signedAtMs;
  if (sinceMs === undefined || sinceMs <= 0) return 'if it was made just now, wait for the next anchor';
  const seconds = Math.round(sinceMs / 1_000);
  return `its receipt was signed ${seconds} s before the newest anchor: autopay dispute open not-in-log ${callId}, once the relay has had its time`;
}
