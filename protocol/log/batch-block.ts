import * as dagCbor from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import * as digest from 'multiformats/hashes/digest';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { sha256 } from '../merkle/hashes.ts';
import { Frontier } from '../merkle/frontier.ts';

/** multicodec code of sha2-256. */
const sha256Code = 0x12;
/** The most bytes that a block may have, so that every IPFS node takes it. */
export const maxBlockBytes = 1_000_000;

/** One run of log entries. With its frontier it proves its entries without the blocks before it. */
export interface BatchBlock {
  /** The block before it, or null for the first. */
  previous: CID | null;
  /** Log index of its first entry. */
  start: number;
  /** Roots of the maximal perfect subtrees over [0, start), left to right. */
  frontier: readonly Uint8Array[];
  /** ABI-encoded CallReceipts. */
  entries: readonly Uint8Array[];
}

/** The CID (version 1, dag-cbor, sha2-256) of a block's bytes. */
export function cidOfBlock(bytes: Uint8Array): CID {
  return CID.createV1(dagCbor.code, digest.create(sha256Code, sha256(bytes)));
}

/** The CID whose sha2-256 digest an anchor names. */
export function cidOfDigest(hash: Uint8Array): CID {
  return CID.createV1(dagCbor.code, digest.create(sha256Code, hash));
}

/** dag-cbor of `{version: 1, previous, start, frontier, entries}`. */
export function encodeBatchBlock(block: BatchBlock): Uint8Array {
  return dagCbor.encode({
    version: 1,
    previous: block.previous,
    start: block.start,
    frontier: block.frontier.map((hash) => Uint8Array.from(hash)),
    entries: block.entries.map((entry) => Uint8Array.from(entry)),
  });
}

/**
 * Reads a block and checks it against the CID that it was asked for by: content addressing is what makes its source
 * irrelevant.
 * @throws AutoPayError `verification_failed` if the bytes have another CID, `invalid_encoding` if they are no batch.
 */
export function decodeBatchBlock(bytes: Uint8Array, cid: CID): BatchBlock {
  const actual = cidOfBlock(bytes);
  if (actual.toString() !== cid.toString()) {
    throw new AutoPayError('verification_failed', `The block has the CID ${actual.toString()}, not ${cid.toString()}.`);
  }
  try {
    return parseBlock(dagCbor.decode(bytes));
  } catch (cause) {
    throw new AutoPayError('invalid_encoding', `The block ${cid.toString()} is not a batch of log entries.`, { cause });
  }
}

function parseBlock(value: unknown): BatchBlock {
  const block = value as Record<string, unknown>;
  const { version, previous, start, frontier, entries } = block;
  if (version !== 1 || Object.keys(block).length !== 5) throw new TypeError('unknown version or keys');
  if (previous !== null && CID.asCID(previous) === null) throw new TypeError('previous is not a CID');
  if (typeof start !== 'number' || !Number.isSafeInteger(start) || start < 0) throw new TypeError('bad start');
  if (!isListOfBytes(frontier) || !isListOfBytes(entries)) throw new TypeError('bad frontier or entries');
  new Frontier(start, frontier);
  return { previous: previous === null ? null : CID.asCID(previous), start, frontier, entries };
}

function isListOfBytes(value: unknown): value is Uint8Array[] {
  return Array.isArray(value) && value.every((item) => item instanceof Uint8Array);
}
