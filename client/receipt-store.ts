import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { appendLine } from './append-line.ts';

const fileName = 'receipts.jsonl';
const newline = 0x0a;

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
  async function readLines(): Promise<string[]> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return text.split('\n');
  }
  return {
    append: (receipt) => appendLine(file, JSON.stringify(receipt)),
    async list() {
      const receipts = (await readLines()).flatMap((line) => parseLine(line) ?? []);
      return [...new Map(receipts.map((receipt) => [receipt.callId, receipt])).values()];
    },
    async find(callId) {
      const lines = await readLines();
      const line = lines.findLast((candidate) => candidate.includes(callId) && parseLine(candidate)?.callId === callId);
      return line === undefined ? undefined : parseLine(line);
    },
    async findLast() {
      const lines = await readLines();
      return parseLine(lines.findLast((line) => parseLine(line) !== undefined) ?? '');
    },
    async findNewestOfChannel(channelId) {
      const lines = await readLines();
      const paid = lines
        .flatMap((line) => parseLine(line) ?? [])
        .filter(({ sequence, problems }) => sequence > 0 && problems.length === 0);
      const wanted = channelId ?? paid.at(-1)?.channelId;
      const [newest] = paid
        .filter((receipt) => receipt.channelId === wanted)
        .toSorted((one, other) => other.sequence - one.sequence);
      return newest;
    },
    readFrom: (from) => readFrom(file, from),
  };
}

async function readFrom(file: string, from: number): Promise<{ receipts: StoredReceipt[]; end: number }> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!handle) return { receipts: [], end: 0 };
  try {
    const { size } = await handle.stat();
    const start = from < 0 ? Math.max(0, size + from) : Math.min(from, size);
    const bytes = Buffer.alloc(size - start);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
    const read = bytes.subarray(0, bytesRead);
    // Begun in the middle of a line, that line is not this reader's.
    const first = from < 0 && start > 0 ? read.indexOf(newline) + 1 : 0;
    const whole = read.subarray(first, read.lastIndexOf(newline) + 1);
    const receipts = whole.toString('utf8').split('\n');
    return { receipts: receipts.flatMap((line) => parseLine(line) ?? []), end: start + first + whole.length };
  } finally {
    await handle.close();
  }
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
