import { join } from 'node:path';
import { z } from 'zod';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { appendLine } from './append-line.ts';
import { readLines, readLinesBackward } from './read-lines.ts';

const fileName = 'receipts.jsonl';

const storedReceiptSchema = z.object({
  callId: z.string(),
  /** Unix milliseconds at which the wallet got it. */
  receivedAtMs: z.number().int(),
  relayUrl: z.string(),
  chainId: z.number().int(),
  /** The AutoPayLLM contract, whose relays may sign it. */
  payee: z.string(),
  model: z.string(),
  /** Zero on a free route. */
  channelId: z.string(),
  sequence: z.number().int(),
  /** Atomic units of the receipt's token, decimal. */
  amount: z.string(),
  promptTokens: z.number().int(),
  completionTokens: z.number().int(),
  /** What did not fit, in words; empty if every check passed. */
  problems: z.array(z.string()),
  /** Base64 SignedReceipt with both salts: the evidence. */
  receipt: z.string(),
});

/** One line of `receipts.jsonl`. */
export type StoredReceipt = z.output<typeof storedReceiptSchema>;

/**
 * The wallet's evidence: each receipt that it was given, one JSON object per line (0600). The file only grows: whoever
 * deletes a receipt gives up the proof, so the wallet never does it by itself.
 */
export interface ReceiptStore {
  append(receipt: StoredReceipt): Promise<void>;
  /** The newest receipt of each call, in the order in which the calls were first heard of. */
  list(): Promise<StoredReceipt[]>;
  /** The newest receipt of a call, or undefined. */
  find(callId: string): Promise<StoredReceipt | undefined>;
  /** The receipt that came last, or undefined. */
  findLast(): Promise<StoredReceipt | undefined>;
  /**
   * The receipt with the highest sequence number of a channel, or undefined. Without a channel: of that whose receipt came
   * last. Receipts that did not fit do not count: what they say of the channel is only the relay's word.
   */
  findNewestOfChannel(channelId?: string): Promise<StoredReceipt | undefined>;
  /**
   * Every line from a byte offset on, in order: also where a call has several receipts, since that proves something. What another
   * process is writing just now is left for the next time.
   * @param from an offset that this function gave before; negative: so many bytes before the end, from the next line on.
   */
  readFrom(from: number): Promise<{ receipts: StoredReceipt[]; end: number }>;
}

/** Opens the receipts in `stateDir`; the folder is created (0700) with the first receipt. */
export function openReceiptStore(stateDir: string): ReceiptStore {
  const file = join(stateDir, fileName);
  async function* readAll(): AsyncGenerator<StoredReceipt> {
    for await (const { lines } of readLines(file)) yield* lines.flatMap((line) => parseLine(line) ?? []);
  }
  return {
    append: (receipt) => appendLine(file, JSON.stringify(receipt)),
    async list() {
      const newest = new Map<string, StoredReceipt>();
      for await (const receipt of readAll()) newest.set(receipt.callId, receipt);
      return [...newest.values()];
    },
    async find(callId) {
      for await (const line of readLinesBackward(file)) {
        const receipt = line.includes(callId) ? parseLine(line) : undefined;
        if (receipt?.callId === callId) return receipt;
      }
      return undefined;
    },
    async findLast() {
      for await (const line of readLinesBackward(file)) {
        const receipt = parseLine(line);
        if (receipt) return receipt;
      }
      return undefined;
    },
    async findNewestOfChannel(channelId) {
      const newest = new Map<string, StoredReceipt>();
      let wanted = channelId;
      for await (const receipt of readAll()) {
        if (receipt.sequence < 1 || receipt.problems.length > 0) continue;
        if (channelId === undefined) wanted = receipt.channelId;
        const known = newest.get(receipt.channelId)?.sequence ?? 0;
        if (receipt.sequence > known) newest.set(receipt.channelId, receipt);
      }
      return wanted === undefined ? undefined : newest.get(wanted);
    },
    async readFrom(from) {
      const receipts: StoredReceipt[] = [];
      let end = Math.max(from, 0);
      for await (const chunk of readLines(file, from)) {
        receipts.push(...chunk.lines.flatMap((line) => parseLine(line) ?? []));
        ({ end } = chunk);
      }
      return { receipts, end };
    },
  };
}

/** A crash may have cut a line short: such a line is no receipt, and does not hide the others. */
function parseLine(line: string): StoredReceipt | undefined {
  try {
    return storedReceiptSchema.parse(JSON.parse(line));
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof z.ZodError) return undefined;
    throw new AutoPayError('internal_error', 'The receipts could not be read.', { cause });
  }
}
