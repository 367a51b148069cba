import type { CID } from 'multiformats/cid';
import { toHex, zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { cidOfBlock, encodeBatchBlock } from '../../protocol/log/batch-block.ts';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import type { BlockSource, LogHead } from '../walk-log.ts';

/** Unix milliseconds at which synthetic calls begin. */
export const syntheticStartMs = 1_790_000_000_000;

/** A receipt as a relay would write it; of a free call, unless the changes say otherwise. */
export function makeReceipt(changes: Partial<CallReceipt> = {}): CallReceipt {
  const { admittedAtMs = syntheticStartMs } = changes;
  const usage = {
    prompt: 10,
    cachedPrompt: 0,
    cacheWrite: 0,
    audioPrompt: 0,
    completion: 5,
    reasoning: 0,
    audioCompletion: 0,
  };
  return {
    ...{ version: 1, callId: createCallId(admittedAtMs), admittedAtMs, chargedAtMs: admittedAtMs + 100 },
    ...{ payer: zeroAddress, channelId: zeroBytes32, sequence: 0, runningTotal: 0n, token: zeroAddress, amount: 0n },
    ...{ refundOwed: 0n, priceRoot: zeroBytes32, oracleRound: 0n, usage },
    ...{ requestCommitment: zeroBytes32, responseCommitment: zeroBytes32, attemptsDigest: zeroBytes32 },
    ...{ evidenceTier: 'relay-signed', usageKind: 'exact', modelAsked: 'sim-small', modelServed: 'sim-small' },
    ...{ provider: 'simulated', deployment: 'simulated@local' },
    ...changes,
  };
}

/** A channel that is charged call by call. */
export class SyntheticChannel {
  readonly #terms: Pick<CallReceipt, 'payer' | 'channelId' | 'token' | 'priceRoot'>;
  #sequence = 0;
  #total = 0n;

  constructor(terms: { payer: Hex; channelId: Hex; token: Hex; priceRoot: Hex }) {
    this.#terms = terms;
  }

  /** The next receipt. */
  charge(amount: bigint, changes: Partial<CallReceipt> = {}): CallReceipt {
    this.#sequence += 1;
    this.#total += amount;
    return makeReceipt({ ...this.#terms, sequence: this.#sequence, runningTotal: this.#total, amount, ...changes });
  }
}

/** A log in blocks of so many entries, as a relay publishes it. */
export interface SyntheticLog {
  head: LogHead;
  /** Each block, oldest first. */
  blocks: { cid: CID; bytes: Uint8Array }[];
  source: BlockSource;
}

/** Puts entries into blocks. @param put told of each block as it is made; without it they are kept in memory */
export async function makeLog(
  entries: Iterable<Uint8Array>,
  { perBlock, put }: { perBlock: number; put?: (cid: CID, bytes: Uint8Array) => Promise<void> },
): Promise<SyntheticLog> {
  const tree = new Frontier();
  const blocks: SyntheticLog['blocks'] = [];
  let previous: CID | null = null;
  let waiting: Uint8Array[] = [];
  async function cut(): Promise<void> {
    const bytes = encodeBatchBlock({ previous, start: tree.size, frontier: tree.roots, entries: waiting });
    for (const entry of waiting) tree.append(hashLeaf(entry));
    waiting = [];
    previous = cidOfBlock(bytes);
    if (put) await put(previous, bytes);
    else blocks.push({ cid: previous, bytes });
  }
  for (const entry of entries) {
    waiting.push(entry);
    if (waiting.length === perBlock) await cut();
  }
  if (waiting.length > 0) await cut();
  if (previous === null) throw new RangeError('a log has entries');
  return {
    head: { cid: previous, size: tree.size, root: tree.root() },
    blocks,
    source: { get: (cid) => Promise.resolve(blocks.find((block) => block.cid.equals(cid))?.bytes) },
  };
}

/** The root over entries, as hexadecimal. */
export function rootOf(entries: readonly Uint8Array[]): Hex {
  const tree = new Frontier();
  for (const entry of entries) tree.append(hashLeaf(entry));
  return toHex(tree.root());
}
