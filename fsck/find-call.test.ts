import { describe, expect, it } from 'vitest';
import { toHex } from '../protocol/bytes/hex.ts';
import { verifyInclusion } from '../protocol/merkle/inclusion.ts';
import { createCallId } from '../protocol/receipt/call-id.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { ChainAnchor } from './chain-reader.ts';
import { findCall } from './find-call.ts';
import { makeLog, makeReceipt } from './testing/synthetic-log.ts';
import { ClaimList } from './verification.ts';
import { LogWalk } from './walk-log.ts';

const receipts = Array.from({ length: 11 }, () => makeReceipt());
const log = await makeLog(
  receipts.map((receipt) => encodeReceipt(receipt)),
  { perBlock: 4 },
);
const { head, source } = log;
const anchor = {
  cid: toHex(head.cid.multihash.digest),
  size: 11n,
  root: toHex(head.root),
  anchoredAt: 100n,
} as ChainAnchor;

async function find(callId: string, signedAtMs?: number) {
  const claims = new ClaimList();
  const walk = new LogWalk(source, head);
  const signedReceipt = signedAtMs === undefined ? {} : { signedReceipt: { signedAtMs } as SignedReceipt };
  const place = await findCall(claims, { callId, walk, view: undefined, anchor, ...signedReceipt });
  return { place, walk, said: claims.all.map(({ name, ok, detail }) => `${name} ${ok}: ${detail}`) };
}

describe('a call in the log', () => {
  it('is found in whichever block it is, with the path that proves it, and no further block is read', async () => {
    for (const [index, { callId }] of receipts.entries()) {
      const { place, walk, said } = await find(callId);
      if (!place) throw new Error(`call ${index} was not found`);
      const { leafHash, path } = place;
      expect(verifyInclusion({ leafHash, index, size: 11, path, root: head.root })).toBe(true);
      expect(place.index).toBe(index);
      expect(walk.start).toBe(index - (index % 4));
      expect(said).toEqual([expect.stringMatching(/^blocks_content_addressed true: [123] block\(s\) from bafy/)]);
    }
  });

  it('that is not there is missed, and the relay is accused only if it had the time', async () => {
    const missed = async (signedAtMs?: number) => (await find(createCallId(), signedAtMs)).said.at(-1);
    expect(await missed()).toMatch(
      /^included false: no entry of the anchored log is call .* wait for the next anchor$/,
    );
    expect(await missed(100_001)).toContain('wait for the next anchor');
    expect(await missed(40_000)).toContain(
      'its receipt was signed 60 s before the newest anchor: autopay dispute open not-in-log',
    );
  });
});
