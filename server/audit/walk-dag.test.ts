import * as dagCbor from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import * as digest from 'multiformats/hashes/digest';
import { describe, expect, it } from 'vitest';
import { cidOfBlock, encodeBatchBlock } from '../../protocol/log/batch-block.ts';
import { findBlock, followPath, isIdentity, walkBack, type DagBlock } from './walk-dag.ts';

const stored = new Map<string, Uint8Array>();
const blocks = { get: async (cid: CID) => stored.get(cid.toString()) };

function put(bytes: Uint8Array): DagBlock {
  const cid = cidOfBlock(bytes);
  stored.set(cid.toString(), bytes);
  return { cid, bytes };
}

const batch = (previous: CID | null) => put(encodeBatchBlock({ previous, start: 0, frontier: [], entries: [] }));
const first = batch(null);
const second = batch(first.cid);
const third = batch(second.cid);
const lost = batch(cidOfBlock(Buffer.from('lost')));

describe('a block', () => {
  it('is found by its hash, as dag-cbor or as raw bytes', async () => {
    expect(await findBlock(blocks, first.cid)).toBe(first.bytes);
    expect(await findBlock(blocks, CID.createV1(0x55, first.cid.multihash))).toBe(first.bytes);
    expect(await findBlock(blocks, CID.createV1(0x70, first.cid.multihash))).toBeUndefined();
    expect(await findBlock(blocks, CID.createV0(digest.create(0x12, first.cid.multihash.digest)))).toBeUndefined();
    // The first bytes of a hash, or another function's, are no hash.
    const short = digest.create(0x12, first.cid.multihash.digest.slice(0, 16));
    expect(await findBlock(blocks, CID.createV1(0x71, short))).toBeUndefined();
    const other = digest.create(0x16, first.cid.multihash.digest);
    expect(await findBlock(blocks, CID.createV1(0x71, other))).toBeUndefined();
  });

  it('may stand in its CID', async () => {
    const cid = CID.createV1(0x55, digest.create(0, Buffer.from('small')));
    expect([isIdentity(cid), isIdentity(first.cid)]).toEqual([true, false]);
    expect(Buffer.from((await findBlock(blocks, cid)) ?? []).toString()).toBe('small');
  });
});

describe('a path', () => {
  const root = put(dagCbor.encode({ list: [{ to: third.cid }], text: 'words', bytes: new Uint8Array(3), none: null }));

  it('ends at a block or within one', async () => {
    expect(await followPath(blocks, root, [])).toEqual({ passed: [root], last: root, isWhole: true });
    const through = await followPath(blocks, root, ['list', '0', 'to', 'previous']);
    expect(through.passed.map(({ cid }) => cid.toString())).toEqual(
      [root, third, second].map(({ cid }) => cid.toString()),
    );
    expect(through).toMatchObject({ isWhole: true, last: { bytes: second.bytes } });
    for (const path of [['text'], ['list'], ['bytes'], ['none'], ['list', '0']]) {
      expect(await followPath(blocks, root, path), path.join('/')).toMatchObject({ passed: [root], isWhole: false });
    }
  });

  it.each([['x'], ['toString'], ['list/1'], ['list/length'], ['text/0'], ['bytes/0'], ['none/x']])(
    '%s leads nowhere',
    async (path) => {
      await expect(followPath(blocks, root, path.split('/'))).rejects.toMatchObject({ code: 'not_found' });
    },
  );

  it('leads nowhere through what is missing, or is no dag-cbor', async () => {
    await expect(followPath(blocks, lost, ['previous'])).rejects.toMatchObject({ code: 'not_found' });
    const raw = { cid: CID.createV1(0x55, third.cid.multihash), bytes: third.bytes };
    await expect(followPath(blocks, raw, ['previous'])).rejects.toMatchObject({ code: 'not_found' });
    const broken = put(Buffer.from('no cbor'));
    await expect(followPath(blocks, broken, ['x'])).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('the way back', () => {
  it('has every block, newest first, and asks for each when it is its turn', async () => {
    const asked: string[] = [];
    const counting = { get: (cid: CID) => (asked.push(cid.toString()), blocks.get(cid)) };
    const walked: string[] = [];
    for await (const { cid } of walkBack(counting, third)) {
      walked.push(cid.toString());
      expect(asked).toHaveLength(walked.length - 1);
    }
    expect(walked).toEqual([third, second, first].map(({ cid }) => cid.toString()));
  });

  it('says which block is missing', async () => {
    const walk = walkBack(blocks, lost);
    await walk.next();
    await expect(walk.next()).rejects.toThrow(cidOfBlock(Buffer.from('lost')).toString());
  });

  it('is one block for raw bytes', async () => {
    const raw = { cid: CID.createV1(0x55, third.cid.multihash), bytes: third.bytes };
    const walk = walkBack(blocks, raw);
    expect((await walk.next()).value).toBe(raw);
    expect((await walk.next()).done).toBe(true);
  });
});
