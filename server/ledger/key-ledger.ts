import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChannelState, VerifiedVoucher } from './ledger.ts';

/** What keys and projects have in common. */
interface SpendingTerms {
  /** The wallet that pays. */
  payer: Hex;
  /** What it pays in; `budget` is in atomic units of it. */
  token: Hex;
  name: string;
  /** The payer's own words, as JSON text of an object. */
  metadata: string;
  /** The names of models that may be called; null for all. */
  models: readonly string[] | null;
  /** The most that may be spent in each period; null without a cap. */
  budget: bigint | null;
  /** A period as in `1d`; null: the budget never starts again. */
  budgetDuration: string | null;
  /** Unix seconds from which periods are counted. */
  budgetFrom: number;
  createdAtMs: number;
  /** Null while it lives. */
  deletedAtMs: number | null;
}

/** A group of keys of one payer, with limits of its own. */
export interface StoredProject extends SpendingTerms {
  /** `prj_…` */
  projectId: string;
}

/** An API key as the books know it: not the key, only its hash. */
export interface StoredKey extends SpendingTerms {
  /** `key_…` */
  keyId: string;
  /** SHA-256 of the whole key, `ap_sk_` included. */
  secretHash: Hex;
  /** How people tell keys apart, as in `ap_sk_…x7Qk`. */
  hint: string;
  /** Whether calls are charged to the payer's channel, or to its AGPT allowance to AutoPayLLM. */
  mode: 'channel' | 'allowance';
  projectId: string | null;
  /** Unix milliseconds; null for ever. */
  expiresAtMs: number | null;
  /** Requests per minute. */
  rpmLimit: number | null;
  /** Tokens per minute. */
  tpmLimit: number | null;
  /** Whether it may manage its payer's keys, as a login may. */
  manages: boolean;
  createdBy: 'payer' | 'operator';
}

/** A key with what calls need to know besides. */
export interface KeyWithProject {
  key: StoredKey;
  project: StoredProject | null;
  /** The channel that the payer's keys spend from in the key's token; null if it never posted headroom in it. */
  channelId: Hex | null;
}

/** The books of API keys. Every method is one transaction; what changes something resolves when it is durable. */
export interface KeyLedger {
  /** Inserts or replaces a project, by its id. */
  putProject(project: StoredProject): Promise<void>;
  getProject(projectId: string): Promise<StoredProject | undefined>;
  /** The living projects of a payer, oldest first, at most 1,000. */
  listProjects(payer: Hex): Promise<StoredProject[]>;
  /** Inserts or replaces a key, by its id. */
  putKey(key: StoredKey): Promise<void>;
  /** A key by its id; a deleted one too. */
  getKey(keyId: string): Promise<StoredKey | undefined>;
  /** A living key and its project, by the hash of the key. */
  findKey(secretHash: Hex): Promise<KeyWithProject | undefined>;
  /** The living keys of a payer, oldest first, at most 1,000. */
  listKeys(payer: Hex): Promise<StoredKey[]>;
  /**
   * Raises what a payer's keys may spend of a channel to a voucher's amount, and makes it the channel of its keys in the
   * channel's token. A lower voucher than the highest accepted one changes no headroom. The signature MUST have been verified.
   * @throws AutoPayError `channel_not_found`, `channel_finalized`, `channel_closing`, `channel_out_of_books`, `amount_exceeds_deposit`.
   */
  acceptHeadroom(request: { voucher: VerifiedVoucher; nowMs: number }): Promise<ChannelState>;
  /** The channel that the keys of a payer spend from, in a token; undefined if it never posted headroom. */
  findKeyChannel(owner: { payer: Hex; token: Hex }): Promise<ChannelState | undefined>;
  /** The channels that the keys of a payer spend from, one for each token. */
  listKeyChannels(payer: Hex): Promise<ChannelState[]>;
  /** Uses a nonce up; false if it was used before. Forgets nonces that have lapsed. */
  useNonce(request: { nonce: string; expiresAtMs: number; nowMs: number }): Promise<boolean>;
}
