import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { sha256 } from '../../protocol/merkle/hashes.ts';
import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import type { AttemptRecord } from '../ledger/ledger.ts';

/**
 * The attempts as the receipt commits to them: RFC 8785 JSON of an array with one object for each attempt, in order:
 * `{deployment, endedAtMs, number, outcome, provider, startedAtMs, status, usage, usageKind}`, all as in AttemptRecord;
 * `status` is null if nothing was answered; `usage` is null or `{audioCompletion, audioPrompt, cacheWrite, cachedPrompt,
 * completion, prompt, reasoning}`.
 */
export function encodeAttempts(attempts: readonly AttemptRecord[]): string {
  // Members stand in RFC 8785 order; JSON.stringify then writes its form: the numbers are integers, the strings well-formed.
  return JSON.stringify(
    attempts.map((attempt) => ({
      deployment: attempt.deployment.toWellFormed(),
      endedAtMs: attempt.endedAtMs,
      number: attempt.number,
      outcome: attempt.outcome,
      provider: attempt.provider.toWellFormed(),
      startedAtMs: attempt.startedAtMs,
      status: attempt.status,
      usage: attempt.usage === null ? null : sortUsage(attempt.usage),
      usageKind: attempt.usageKind,
    })),
  );
}

/** SHA-256 of the encoded attempts: the receipt's `attemptsDigest`. */
export function digestAttempts(attempts: readonly AttemptRecord[]): Hex {
  return toHex(sha256(Buffer.from(encodeAttempts(attempts), 'utf8')));
}

function sortUsage(usage: TokenUsage): TokenUsage {
  const { audioCompletion, audioPrompt, cacheWrite, cachedPrompt, completion, prompt, reasoning } = usage;
  return { audioCompletion, audioPrompt, cacheWrite, cachedPrompt, completion, prompt, reasoning };
}
