import * as dagCbor from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { cidOfDigest, decodeBatchBlock } from '../../protocol/log/batch-block.ts';
import type { BlockStore } from './block-store.ts';

/** A block, under the CID that it is asked for by. */
export interface DagBlock {
  cid: CID;
  bytes: Uint8Array;
}

type Blocks = Pick<BlockStore, 'get'>;

/** multicodec codes. */
const identityCode = 0x00;
const sha256Code = 0x12;
const rawCodec = 0x55;

/** Whether a CID holds its block itself (multihash `identity`). */
export function isIdentity(cid: CID): boolean {
  return cid.multihash.code === identityCode;
}

/**
 * The bytes that a CID names; undefined if the store does not have them. A block is found by its hash, also as `raw` bytes.
 * @throws AutoPayError `verification_failed`, as the store
 */
export async function findBlock(blocks: Blocks, cid: CID): Promise<Uint8Array | undefined> {
  const { code, digest, size } = cid.multihash;
  if (isIdentity(cid)) return digest;
  const isKnown = code === sha256Code && size === 32 && (cid.code === dagCbor.code || cid.code === rawCodec);
  return isKnown ? blocks.get(cidOfDigest(digest)) : undefined;
}

/**
 * Follows a path from a block, through its links (IPFS Path Gateway specification; dag-cbor: members of maps, positions of lists).
 * @returns the blocks that the path passes, the first one included; `isWhole` if it ends at a block, not within one
 * @throws AutoPayError `not_found`
 */
export async function followPath(
  blocks: Blocks,
  root: DagBlock,
  path: readonly string[],
): Promise<{ passed: DagBlock[]; last: DagBlock; isWhole: boolean }> {
  const passed = [root];
  let last = root;
  let within: { value: unknown } | undefined;
  for (const name of path) {
    const value = memberOf((within ?? { value: decode(last) }).value, name);
    const link = CID.asCID(value);
    if (value === undefined) throw missing(name);
    within = link === null ? { value } : undefined;
    if (link === null) continue;
    const bytes = await findBlock(blocks, link);
    if (bytes === undefined) throw missing(name);
    last = { cid: link, bytes };
    passed.push(last);
  }
  return { passed, last, isWhole: within === undefined };
}

/**
 * All blocks from `start` back to the first of the log, one at a time. A block has one link, to the one before it, so this is the order of a
 * depth-first search, and no block occurs twice.
 * @throws AutoPayError `internal_error` if one of them is missing
 */
export async function* walkBack(blocks: Blocks, start: DagBlock): AsyncGenerator<DagBlock> {
  let block = start;
  for (;;) {
    yield block;
    const previous = block.cid.code === dagCbor.code ? decodeBatchBlock(block.bytes, block.cid).previous : null;
    if (previous === null) return;
    const bytes = await findBlock(blocks, previous);
    if (bytes === undefined) {
      const message = `Block ${previous.toString()} is missing from the blocks folder. Restore it from a copy.`;
      throw new AutoPayError('internal_error', message);
    }
    block = { cid: previous, bytes };
  }
}

function decode({ cid, bytes }: DagBlock): unknown {
  if (cid.code !== dagCbor.code) return undefined;
  try {
    return dagCbor.decode(bytes);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^\d{1,9}$/.test(name) ? (value as unknown[])[Number(name)] : undefined;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || !Object.hasOwn(value, name)) {
    return undefined;
  }
  return (value as Record<string, unknown>)[name];
}

function missing(name: string): AutoPayError {
  return new AutoPayError('not_found', `The path leads nowhere from "${name.slice(0, 64)}" on.`, { param: 'path' });
}
