import ranks from 'gpt-tokenizer/bpeRanks/o200k_base';
import { countTokens as countExactly, encode } from 'gpt-tokenizer/encoding/o200k_base';

/** A stretch of text and the tokens that it took. Usually one; more where a character spans tokens. */
export interface Piece {
  text: string;
  tokens: number;
}

// A request that contains "<|endoftext|>" is text, not a control token.
const AS_TEXT = { disallowedSpecial: new Set<string>() };

// The merge loop is quadratic in a run without a break: 200,000 letters take 20 s, in stretches of 1,000 they take 0.1 s.
const LONG_RUN = /\S{1000}|\s{1000}/gu;

/** The number of o200k_base tokens. In runs of 1,000 characters without a break it may be one too many per 1,000. */
export function countTokens(text: string): number {
  let from = 0;
  let total = 0;
  for (const run of text.matchAll(LONG_RUN)) {
    const end = run.index + run[0].length;
    total += countExactly(text.slice(from, end), AS_TEXT);
    from = end;
  }
  return total + (from < text.length ? countExactly(from === 0 ? text : text.slice(from), AS_TEXT) : 0);
}

/**
 * Splits text into the pieces in which a provider streams it: one per token, but never half a character.
 *
 * @param limit the most tokens to take; a character that the limit cuts is left out, though its tokens are counted
 */
export function splitTokens(text: string, limit: number = Number.POSITIVE_INFINITY): Piece[] {
  const pieces: Piece[] = [];
  // The tokenizer's own decode() keeps half characters for its next caller, so each split has a decoder of its own.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let tokens = 0;
  for (const token of encode(text, AS_TEXT).slice(0, limit)) {
    tokens += 1;
    const part = decoder.decode(tokenBytes(token), { stream: true });
    if (part === '') continue;
    pieces.push({ text: part, tokens });
    tokens = 0;
  }
  if (tokens > 0) pieces.push({ text: '', tokens });
  return pieces;
}

/** The tokens of all pieces together. */
export function sumTokens(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.tokens, 0);
}

function tokenBytes(token: number): Uint8Array {
  const entry = ranks[token];
  if (entry === undefined) throw new RangeError(`o200k_base has no token ${token}.`);
  return typeof entry === 'string' ? Buffer.from(entry) : Uint8Array.from(entry);
}
