import { isUtf8 } from 'node:buffer';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { formatCallId } from '../protocol/receipt/call-id.ts';
import type { TokenUsage } from '../protocol/receipt/call-receipt.ts';

/*
 * Reads log entries where they stand. `decodeReceipt` builds a receipt and encodes it again to know that its encoding is the canonical
 * one; this looks at the bytes that have to be zero, which is ten times as fast, and the checker's own way to the same answer.
 */

/** What a history is made of. Amounts are atomic units of `token`. */
export interface EntryFacts {
  admittedAtMs: number;
  payer: Hex;
  channelId: Hex;
  sequence: number;
  runningTotal: bigint;
  token: Hex;
  amount: bigint;
  refundOwed: bigint;
  priceRoot: Hex;
  oracleRound: bigint;
  usage: TokenUsage;
  modelAsked: string;
}

/** Words of the tuple, by their position behind the offset word; the struct is contracts/types/CallReceipt.sol. */
const word = {
  ...{ version: 0, callId: 1, admittedAtMs: 2, chargedAtMs: 3, payer: 4, channelId: 5, sequence: 6, runningTotal: 7 },
  ...{
    token: 8,
    amount: 9,
    refundOwed: 10,
    priceRoot: 11,
    oracleRound: 12,
    usage: 13,
    evidenceTier: 23,
    usageKind: 24,
  },
  strings: 25,
} as const;
const headWords = 29;
const usageWords = 7;
const tierCount = 5;
const kindCount = 2;
const headBytes = 32 * (1 + headWords);

/** Where a word begins in an entry, bytes. */
function at(position: number): number {
  return 32 * (1 + position);
}

/** Whether bytes are long enough to be an entry; `names` and `callIdOf` need it. */
export function mayBeEntry(entry: Uint8Array): boolean {
  return entry.length >= headBytes + 4 * 32;
}

/** Whether an entry names this payer (20 bytes), or this channel (32 bytes), without reading the rest of it. */
export function names(entry: Uint8Array, what: 'payer' | 'channelId', id: Uint8Array): boolean {
  const end = at(word[what]) + 32;
  for (let index = id.length - 1, place = end - 1; index >= 0; index -= 1, place -= 1) {
    if (entry[place] !== id[index]) return false;
  }
  return true;
}

/** Whether an entry is the one of a call. @param id the 16 bytes of the call id */
export function isOfCall(entry: Uint8Array, id: Uint8Array): boolean {
  if (!mayBeEntry(entry)) return false;
  const start = at(word.callId);
  // The last bytes are random, the first ones a time that many calls share.
  for (let index = id.length - 1; index >= 0; index -= 1) if (entry[start + index] !== id[index]) return false;
  return true;
}

/** The call id of an entry, in text form. */
export function callIdOf(entry: Uint8Array): string {
  return formatCallId(entry.subarray(at(word.callId), at(word.callId) + 16));
}

/** The channel of an entry, in lower case. */
export function channelIdOf(entry: Uint8Array): Hex {
  return hexOf(entry, at(word.channelId), 32);
}

/**
 * Reads an entry, and makes sure that it is the one canonical encoding of a receipt.
 * @throws AutoPayError `invalid_encoding`
 */
export function scanEntry(entry: Uint8Array): EntryFacts {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const usage = mayBeEntry(entry) && isCanonicalHead(view) ? readUsage(view) : undefined;
  const modelAsked = usage && readStrings(entry, view);
  if (usage === undefined || modelAsked === undefined) {
    throw new AutoPayError(
      'invalid_encoding',
      'These bytes are not an ABI-encoded CallReceipt of version 1 in its canonical encoding.',
    );
  }
  return {
    admittedAtMs: readCount(view, at(word.admittedAtMs)),
    payer: hexOf(entry, at(word.payer) + 12, 20),
    channelId: channelIdOf(entry),
    sequence: readCount(view, at(word.sequence)),
    runningTotal: readAmount(view, at(word.runningTotal)),
    token: hexOf(entry, at(word.token) + 12, 20),
    amount: readAmount(view, at(word.amount)),
    refundOwed: readAmount(view, at(word.refundOwed)),
    priceRoot: hexOf(entry, at(word.priceRoot), 32),
    oracleRound: (readAmount(view, at(word.oracleRound) - 16) << 128n) | readAmount(view, at(word.oracleRound)),
    usage,
    modelAsked,
  };
}

/** As `scanEntry`; undefined for an entry that nobody can read, which must not hide the others. */
export function tryScanEntry(entry: Uint8Array): EntryFacts | undefined {
  try {
    return scanEntry(entry);
  } catch {
    return undefined;
  }
}

function isCanonicalHead(view: DataView): boolean {
  const isId =
    (view.getUint8(at(word.callId) + 6) & 0xf0) === 0x70 && (view.getUint8(at(word.callId) + 8) & 0xc0) === 0x80;
  if (!isId || !isZero(view, at(word.callId) + 16, 16)) return false;
  if (!isCount(view, 0) || readCount(view, 0) !== 32) return false;
  if (!isCount(view, at(word.version)) || readCount(view, at(word.version)) !== 1) return false;
  for (const position of [word.admittedAtMs, word.chargedAtMs, word.sequence])
    if (!isCount(view, at(position))) return false;
  for (const position of [word.payer, word.token]) if (!isZero(view, at(position), 12)) return false;
  for (const position of [word.runningTotal, word.amount, word.refundOwed])
    if (!isZero(view, at(position), 16)) return false;
  for (let index = 0; index < usageWords; index += 1) if (!isCount(view, at(word.usage + index))) return false;
  if (!isCount(view, at(word.evidenceTier)) || readCount(view, at(word.evidenceTier)) >= tierCount) return false;
  return isCount(view, at(word.usageKind)) && readCount(view, at(word.usageKind)) < kindCount;
}

/** Checks the four strings, which follow one another to the end, and reads the first: the model that was asked for. */
function readStrings(entry: Uint8Array, view: DataView): string | undefined {
  let offset = 32 * headWords;
  let first: string | undefined;
  for (let index = 0; index < 4; index += 1) {
    const pointer = at(word.strings + index);
    const start = 32 + offset;
    if (!isCount(view, pointer) || readCount(view, pointer) !== offset || start + 32 > entry.length) return undefined;
    if (!isCount(view, start)) return undefined;
    const length = readCount(view, start);
    const padded = Math.ceil(length / 32) * 32;
    if (start + 32 + padded > entry.length) return undefined;
    const text = entry.subarray(start + 32, start + 32 + length);
    for (let place = length; place < padded; place += 1) if (entry[start + 32 + place] !== 0) return undefined;
    if (!isUtf8(text)) return undefined;
    first ??= Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8');
    offset += 32 + padded;
  }
  return 32 + offset === entry.length ? first : undefined;
}

function readUsage(view: DataView): TokenUsage {
  const part = (index: number) => readCount(view, at(word.usage + index));
  return {
    ...{ prompt: part(0), cachedPrompt: part(1), cacheWrite: part(2), audioPrompt: part(3) },
    ...{ completion: part(4), reasoning: part(5), audioCompletion: part(6) },
  };
}

function isZero(view: DataView, start: number, lengthBytes: number): boolean {
  for (let place = start; place < start + lengthBytes; place += 4) if (view.getUint32(place) !== 0) return false;
  return true;
}

/** A number of at most 53 bits in a word. */
function isCount(view: DataView, start: number): boolean {
  return isZero(view, start, 24) && view.getUint32(start + 24) <= 0x1f_ffff;
}

function readCount(view: DataView, start: number): number {
  return view.getUint32(start + 24) * 0x1_0000_0000 + view.getUint32(start + 28);
}

/** The lower half of a word. */
function readAmount(view: DataView, start: number): bigint {
  const high = view.getBigUint64(start + 16);
  const low = view.getBigUint64(start + 24);
  return high === 0n ? low : (high << 64n) | low;
}

function hexOf(entry: Uint8Array, start: number, lengthBytes: number): Hex {
  return `0x${Buffer.from(entry.buffer, entry.byteOffset + start, lengthBytes).toString('hex')}`;
}
