import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { addressSchema, amountSchema, bytes32Schema } from '../protocol/payments/value-schemas.ts';
import { withLockFile } from './with-lock-file.ts';
import { writeFileDurably } from './write-file-durably.ts';

const stateFileName = 'channels.json';
const lockWaitMs = 10_000;
/** Channels are kept for ever, since their numbers must not be used again; nobody has this many with a few relays. */
const maxChannels = 1_000;

const channelSchema = z.strictObject({
  /** Origin of the relay that the channel is for. */
  relayUrl: z.url(),
  chainId: z.number().int().positive(),
  escrow: addressSchema,
  payee: addressSchema,
  /** These contracts and the token's decimals are kept to as they were with the channel; older channels do not have them. */
  priceOracle: addressSchema.optional(),
  priceBook: addressSchema.optional(),
  keyRegistry: addressSchema.optional(),
  token: addressSchema,
  tokenDecimals: z.number().int().min(0).max(30).optional(),
  payer: addressSchema,
  /** Number from which the salt is derived; from 0, per payer, relay contract and token. */
  saltIndex: z.number().int().min(0),
  channelId: bytes32Schema,
  /**
   * `opening` until the chain has confirmed it; `keys`: API keys spend from it; `closed` once its owner has ended it. The wallet pays
   * calls from `open` ones alone.
   */
  status: z.enum(['opening', 'open', 'keys', 'closed']),
  /** Atomic units, as all amounts here. */
  deposit: amountSchema,
  /** The highest voucher that may have left this wallet. */
  lastSigned: amountSchema,
  /** How many vouchers below `lastSigned` were signed because the whole deposit was signed before. */
  lowerVouchers: z.number().int().min(0),
  /** Running total of the newest verified receipt. */
  spent: amountSchema,
  /** Sequence number of that receipt; 0 before the first. */
  sequence: z.number().int().min(0),
  /** Found again on the chain after the state was lost: `lastSigned` is then only a lower bound. */
  recovered: z.boolean(),
});

/** What calls of one day cost, against the owner's limit. Written by `day-spending.ts`. */
const spendingSchema = z.strictObject({
  chainId: z.number().int().positive(),
  token: addressSchema,
  /** Such as `2026-11-21`, in UTC. */
  day: z.iso.date(),
  amount: amountSchema,
});

const stateSchema = z.strictObject({
  version: z.literal(1),
  channels: z.array(channelSchema).max(maxChannels),
  /** Older files do not have it. Only the present day's are kept, one per token. */
  spending: z.array(spendingSchema).default([]),
});

/** A channel as the wallet remembers it. Amounts are atomic units of `token`. */
export type WalletChannel = z.output<typeof channelSchema>;
/** What `channels.json` holds. */
export type WalletState = z.output<typeof stateSchema>;

interface QueuedUpdate {
  mutate: (state: WalletState) => void;
  settle: (error?: Error) => void;
}

/** The wallet's durable memory: one JSON file (0600) in the state folder, shared by the processes that use the folder. */
export interface WalletStateFile {
  /** The state as it is on the disk. */
  read(): Promise<WalletState>;
  /**
   * Changes the state. Resolves with what `mutate` returned, after the change is durable; if `mutate` throws, nothing of
   * its change is kept. Updates that arrive together share one write.
   */
  update<T>(mutate: (state: WalletState) => T): Promise<T>;
}

/**
 * Opens the state in `stateDir`; the folder is created (0700) with the first change.
 * The returned object's calls throw AutoPayError `invalid_configuration` if the file is damaged, `data_dir_locked` if
 * another process does not let go of it.
 */
export function openWalletState(stateDir: string): WalletStateFile {
  const file = join(stateDir, stateFileName);
  const queue: QueuedUpdate[] = [];
  let isWriting = false;

  async function writeQueued(): Promise<void> {
    isWriting = true;
    try {
      while (queue.length > 0) {
        const group = queue.splice(0);
        try {
          await withLockFile({ file: `${file}.lock`, waitMs: lockWaitMs }, () => applyGroup(file, group));
        } catch (error) {
          for (const update of group) update.settle(asError(error));
        }
      }
    } finally {
      isWriting = false;
    }
  }

  return {
    read: () => readState(file),
    async update<T>(mutate: (state: WalletState) => T): Promise<T> {
      await mkdir(stateDir, { recursive: true, mode: 0o700 });
      return new Promise<T>((resolve, reject) => {
        let result: T;
        queue.push({
          mutate: (state) => {
            result = mutate(state);
          },
          settle: (error) => (error === undefined ? resolve(result) : reject(error)),
        });
        if (!isWriting) void writeQueued();
      });
    },
  };
}

async function applyGroup(file: string, group: readonly QueuedUpdate[]): Promise<void> {
  let state = await readState(file);
  const applied: QueuedUpdate[] = [];
  for (const update of group) {
    const changed = structuredClone(state);
    try {
      update.mutate(changed);
      state = changed;
      applied.push(update);
    } catch (error) {
      update.settle(asError(error));
    }
  }
  if (applied.length === 0) return;
  if (state.channels.length > maxChannels) {
    throw new AutoPayError('invalid_configuration', `${file} holds ${maxChannels} channels. Use another state folder.`);
  }
  await writeFileDurably(file, `${serialize(state)}\n`);
  for (const update of applied) update.settle();
}

/**
 * A channel in the state.
 * @throws AutoPayError `invalid_configuration` if someone took it out.
 */
export function channelIn(saved: WalletState, channelId: Hex): WalletChannel {
  const channel = saved.channels.find((candidate) => candidate.channelId === channelId);
  if (!channel) {
    throw new AutoPayError(
      'invalid_configuration',
      `Channel ${channelId} is gone from the wallet's state. Start again: it is found on the chain.`,
    );
  }
  return channel;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function serialize(state: WalletState): string {
  return JSON.stringify(state, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2);
}

async function readState(file: string): Promise<WalletState> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { version: 1, channels: [], spending: [] };
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AutoPayError(
      'invalid_configuration',
      `${file} is damaged. Move it away: the wallet then finds its channels on the chain again.`,
      { cause },
    );
  }
}
