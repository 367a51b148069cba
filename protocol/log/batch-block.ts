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
/** The most entries that a block may have: four times as many as receipts fit into it. */
export const maxBlockEntries = 4_096;

/** What a block has beside its entries: its members with their names, and at most 64 roots. */
const maxOtherItems = 80;

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
    frontier: block.frontier,
    entries: block.entries,
  });
}

/**
 * Reads a block and checks it against the CID that it was asked for by: content addressing is what makes its source
 * irrelevant. What it takes of the memory is bounded, whatever the bytes are.
 * @throws AutoPayError `verification_failed` if the bytes have another CID, `invalid_encoding` if they are no batch, or too large a one.
 */
export function decodeBatchBlock(bytes: Uint8Array, cid: CID): BatchBlock {
  const actual = cidOfBlock(bytes);
  if (actual.toString() !== cid.toString()) {
    throw new AutoPayError('verification_failed', `The block has the CID ${actual.toString()}, not ${cid.toString()}.`);
  }
  try {
    // Before anything is made of it: a byte of CBOR can become an object of hundreds.
    if (bytes.length > maxBlockBytes) throw new RangeError(`it has more than ${maxBlockBytes} bytes`);
    requireFewItems(bytes, maxBlockEntries + maxOtherItems);
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
  if (entries.length > maxBlockEntries) throw new RangeError(`it has more than ${maxBlockEntries} entries`);
  new Frontier(start, frontier);
  return { previous: previous === null ? null : CID.asCID(previous), start, frontier, entries };
}

function isListOfBytes(value: unknown): value is Uint8Array[] {
  return Array.isArray(value) && value.every((item) => item instanceof Uint8Array);
}

/** Bytes of the number behind the first byte of an item (RFC 8949 §3), by its lower five bits. */
const argumentBytes = new Map([
  [24, 1],
  [25, 2],
  [26, 4],
  [27, 8],
]);

/** Counts the items of CBOR (RFC 8949 §3), those within others too, without making any of them. @throws RangeError */
function requireFewItems(bytes: Uint8Array, most: number): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let at = 0; at < view.length;) {
    count += 1;
    if (count > most) throw new RangeError(`it has more than ${most} items`);
    const first = view.readUInt8(at);
    const lengthBytes = argumentBytes.get(first & 0x1f) ?? 0;
    at += 1;
    const kind = first >> 5;
    // Byte and text strings are passed over; of the others the items within them follow.
    if (kind === 2 || kind === 3) at += lengthBytes === 0 ? first & 0x1f : readArgument(view, at, lengthBytes);
    at += lengthBytes;
  }
}

function readArgument(view: Buffer, at: number, lengthBytes: number): number {
  return lengthBytes === 8 ? Number(view.readBigUInt64BE(at)) : view.readUIntBE(at, lengthBytes);
}
