import { describe, expect, it } from 'vitest';
import { fromHex } from '../protocol/bytes/hex.ts';
import { createCallId, parseCallId } from '../protocol/receipt/call-id.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { readVectors } from '../protocol/vectors/read-vectors.ts';
import { flipBit } from '../test/support/flip-bit.ts';
import { callIdOf, channelIdOf, isOfCall, mayBeEntry, names, scanEntry, type EntryFacts } from './scan-entry.ts';

const entries = readVectors().receipts.map(({ entry }) => fromHex(entry));

/** What the codec says of the same bytes. */
function decoded(entry: Uint8Array): EntryFacts | undefined {
  try {
    const receipt = decodeReceipt(entry);
    const { admittedAtMs, payer, channelId, sequence, runningTotal, token, amount, refundOwed } = receipt;
    const { priceRoot, oracleRound, usage, modelAsked } = receipt;
    return {
      ...{ admittedAtMs, payer, channelId, sequence, runningTotal, token, amount, refundOwed, priceRoot, oracleRound },
      ...{ usage, modelAsked },
    };
  } catch {
    return undefined;
  }
}

function scanned(entry: Uint8Array): EntryFacts | undefined {
  try {
    return scanEntry(entry);
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_encoding' });
    return undefined;
  }
}

describe('scanning an entry', () => {
  it('reads what the codec reads', () => {
    expect(entries.length).toBeGreaterThan(2);
    for (const entry of entries) {
      expect(scanEntry(entry)).toEqual(decoded(entry));
      const receipt = decodeReceipt(entry);
      expect(callIdOf(entry)).toBe(receipt.callId);
      expect(isOfCall(entry, parseCallId(receipt.callId))).toBe(true);
      expect(isOfCall(entry, parseCallId(createCallId()))).toBe(false);
      expect(isOfCall(entry.subarray(0, 100), parseCallId(receipt.callId))).toBe(false);
      expect(channelIdOf(entry)).toBe(receipt.channelId);
      expect(names(entry, 'payer', fromHex(receipt.payer))).toBe(true);
      expect(names(entry, 'channelId', fromHex(receipt.channelId))).toBe(true);
      expect(names(entry, 'payer', Buffer.alloc(20, 0x5a))).toBe(false);
    }
  });

  it('agrees with the codec on every entry with one bit flipped: the same entries are refused, and the others read alike', () => {
    let refused = 0;
    let read = 0;
    for (const entry of entries) {
      for (let place = 0; place < entry.length; place += 1) {
        for (const bit of [0x01, 0x80]) {
          const flipped = flipBit(entry, place, bit);
          const facts = scanned(flipped);
          expect(facts, `byte ${place} of ${entry.length}`).toEqual(decoded(flipped));
          if (facts === undefined) refused += 1;
          else read += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(1_000);
    expect(read).toBeGreaterThan(1_000);
  });

  it('refuses what is too short, too long, and what has other texts than the codec takes', () => {
    const entry = entries[0] ?? Buffer.alloc(0);
    for (const length of [0, 31, 32, 960, entry.length - 32, entry.length - 1]) {
      expect(scanned(entry.subarray(0, length))).toBeUndefined();
    }
    expect(scanned(Buffer.concat([entry, Buffer.alloc(32)]))).toBeUndefined();
    expect(mayBeEntry(entry.subarray(0, 960))).toBe(false);
    const receipt = decodeReceipt(entry);
    for (const modelAsked of ['', 'm', 'x'.repeat(32), 'ünïcödé 🙂', 'y'.repeat(65)]) {
      const other = encodeReceipt({
        ...receipt,
        modelAsked,
        oracleRound: (1n << 255n) + 5n,
        runningTotal: (1n << 127n) + 1n,
      });
      expect(scanEntry(other)).toEqual(decoded(other));
    }
    const bad = encodeReceipt({ ...receipt, modelAsked: 'abcd' });
    bad[32 + 29 * 32 + 32] = 0xff;
    expect(scanned(bad)).toBeUndefined();
  });
});
