import { zeroBytes32, type Hex } from '../../../protocol/bytes/hex.ts';
import { plainPrices } from '../../../protocol/pricing/plain-prices-fixture.ts';
import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import type { PriceRow } from '../../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../../protocol/pricing/price-tree.ts';
import type { CallReceipt } from '../../../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../../../protocol/receipt/encode-receipt.ts';
import { cpuSeconds } from './cpu-seconds.ts';

/** Who makes all calls of the synthetic log, by one channel. */
export const syntheticPayer: Hex = `0x${'b1'.repeat(20)}`;
const channelId: Hex = `0x${'c4'.repeat(32)}`;
const token: Hex = `0x${'70'.repeat(20)}`;
const amount = 66n;

/** What its calls cost: 120 tokens in and 80 out are 66 atomic units. */
export const syntheticPrices: readonly PriceRow[] = [
  { model: 'sim-small', token, inUsd: false, ...plainPrices(150_000n, 600_000n), cachedPrompt: 75_000n },
];
const priceRoot = rootOfPrices(syntheticPrices);

/** The receipt at a position of the log. All are of one length, as those of one model are. */
export function syntheticReceipt(index: number): CallReceipt {
  const atMs = 1_790_000_000_000 + index;
  const tail = index.toString(16).padStart(12, '0');
  return {
    ...{ version: 1, callId: `01a0c4e2-1c00-7000-8000-${tail}`, admittedAtMs: atMs, chargedAtMs: atMs + 700 },
    ...{ payer: syntheticPayer, channelId, sequence: index + 1, runningTotal: amount * BigInt(index + 1) },
    ...{ token, amount, refundOwed: 0n, priceRoot, oracleRound: 0n },
    usage: {
      ...{ prompt: 120, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0 },
      ...{ completion: 80, reasoning: 0, audioCompletion: 0 },
    },
    ...{
      requestCommitment: `0x${'d1'.repeat(32)}`,
      responseCommitment: `0x${'d2'.repeat(32)}`,
      attemptsDigest: zeroBytes32,
    },
    ...{ evidenceTier: 'relay-signed', usageKind: 'exact' },
    ...{ modelAsked: 'sim-small', modelServed: 'sim-small', provider: 'simulated', deployment: 'simulated@local' },
  };
}

/** Where an entry has the last four bytes of its call id. */
const stampOffset = 2 * 32 + 12;

/** Leaf hashes of a log, 32 bytes each, and what hashing took. */
export interface SyntheticLeaves {
  hashes: Buffer;
  /** Bytes of one entry. */
  entryBytes: number;
  /** CPU time. */
  seconds: number;
}

/** Hashes `count` entries, each of its own. Only the hashing is timed, with the four bytes that make the next entry of the last. */
export function hashEntries(count: number): SyntheticLeaves {
  const entry = encodeReceipt(syntheticReceipt(0));
  const hashes = Buffer.allocUnsafe(32 * count);
  const seconds = cpuSeconds(() => {
    for (let index = 0; index < count; index += 1) {
      entry.writeUInt32BE(index, stampOffset);
      hashes.set(hashLeaf(entry), 32 * index);
    }
  });
  return { hashes, entryBytes: entry.length, seconds };
}
