import type { Hex } from '../../../protocol/bytes/hex.ts';

/** Which charges are asked for; what is not named is not asked about. */
export interface CallFilter {
  /** The chain that a call was paid on. */
  chainId?: number;
  payer?: Hex;
  keyId?: string;
  /** The name that the client asked for. */
  model?: string;
  provider?: string;
  /** Charged at this time or later, unix milliseconds. */
  sinceMs?: number;
  /** Charged before this time, unix milliseconds. */
  untilMs?: number;
}

/** `asc`: oldest first, as in the log. */
export type QueryOrder = 'asc' | 'desc';

/** How charges are written down. */
export type CallFormat = 'json' | 'csv';

/** One piece of a walk over the log. */
export interface CallQuery {
  filter: CallFilter;
  order: QueryOrder;
  /** The first position that is looked at; without, the first or the last of the log. */
  at?: number;
  /** Nothing from this position on: the size that the log had when the walk began. Without, what it has now. */
  below?: number;
  /** The most charges in the piece; at most `maxCallsPerPiece`. */
  limit: number;
  format: CallFormat;
}

/**
 * Charges that were found. A piece may be short, or empty, before the last: a question reads a bounded part of the log, so that none
 * holds up the others.
 */
export interface CallPiece {
  /** One line for each charge, with its line end: an object (LF), or a record of CSV (CRLF). */
  text: string;
  /** How many charges those are. */
  count: number;
  /** Where the next piece begins; null after the last. */
  next: number | null;
  /** The size of the log at that moment, at most `below`. */
  size: number;
}

/** Entries of the log, as `GET /v1/audit/entries` tells of them. */
export interface EntryPiece {
  /** One JSON object for each entry, with its LF. */
  text: string;
  count: number;
}

/** Where an entry stands, and what stands for it in the tree. */
export interface FoundLeaf {
  index: number;
  /** RFC 6962, 32 bytes. */
  leafHash: Uint8Array;
}

/** Whose a call is, and all that the books know of it. */
export interface FoundCall {
  chainId: number;
  /** Null on a free route. */
  payer: Hex | null;
  keyId: string | null;
  /** The answer of `GET /v1/audit/receipts/{callId}`, JSON, with the salts. */
  json: string;
}

/** Which bookings are asked for: all of a chain's, or those that charges of a payer are in. */
export interface BookingQuery {
  chainId?: number;
  payer?: Hex;
  order: QueryOrder;
  /** The id of the first that is looked at. */
  at?: number;
  limit: number;
}

/** Bookings that were found, each as JSON; a piece may be short before the last. */
export interface BookingPiece {
  rows: readonly string[];
  /** Where the next piece begins; null if there is none now. */
  next: number | null;
  /** The id of the newest collection, 0 before the first. */
  newest: number;
}

/** The most charges in one piece. */
export const maxCallsPerPiece = 500;
/** The most entries of one question. */
export const maxEntriesListed = 1_000;
/** The most bookings of one question. */
export const maxBookingsListed = 20;

/**
 * Questions about what is durable. They are answered by a thread of their own on a connection that can only read, so that the longest
 * of them delays no call: neither in the writer nor on the main thread.
 */
export interface AuditQueries {
  listCalls(query: CallQuery): Promise<CallPiece>;
  findCall(callId: string): Promise<FoundCall | undefined>;
  listBookings(query: BookingQuery): Promise<BookingPiece>;
  /** Entries from a position on, in order, at most `maxEntriesListed`. */
  listEntries(range: { from: number; limit: number }): Promise<EntryPiece>;
  /** An entry by its position, or by its call; undefined if there is none. */
  findLeaf(entry: { index: number } | { callId: string }): Promise<FoundLeaf | undefined>;
}
