import { mostWaitMs, readNumber } from './read-retry-after.ts';

/** A duration as Go and Google write it: `1s`, `120ms`, `6m0s`, `2m59.56s`. */
const duration = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,12})?)s)?(?:(\d{1,9}(?:\.\d{1,12})?)ms)?$/;

/** @returns milliseconds, at most a day; null if the text is no duration */
export function readDuration(text: string): number | null {
  const [whole, hours, minutes, seconds, ms] = duration.exec(text.trim()) ?? [];
  if (!whole) return null;
  const sum = Number(hours ?? 0) * 3_600_000 + Number(minutes ?? 0) * 60_000 + Number(seconds ?? 0) * 1_000;
  return Math.min(Math.ceil(sum + Number(ms ?? 0)), mostWaitMs);
}

/** `x-ratelimit-reset-tokens`, `x-ratelimit-reset`, `ratelimit-reset`; and Anthropic's, which ends in it. */
const resetName = /^(?:x-)?ratelimit-reset(?:-[a-z-]+)?$|^anthropic-ratelimit-[a-z-]+-reset$/;

/**
 * When a limit that is used up begins anew, where an answer says no more than that: as a duration or in seconds (OpenAI, Groq,
 * Cerebras), as a time in unix seconds or milliseconds (OpenRouter), or as a date (Anthropic, RFC 3339). Of several the latest;
 * limits that have something left do not count.
 * @param headers names in lower case
 * @returns milliseconds, at most a day; null if it says nothing that can be read
 */
export function readLimitReset(headers: Readonly<Record<string, string | undefined>>, nowMs: number): number | null {
  let most: number | null = null;
  for (const [name, text] of Object.entries(headers)) {
    if (text === undefined || text.length > 64 || !resetName.test(name)) continue;
    const left = readNumber(headers[name.replace('reset', 'remaining')]);
    const waitMs = left !== null && left > 0 ? null : readReset(text, nowMs);
    if (waitMs !== null) most = Math.max(most ?? 0, waitMs);
  }
  return most;
}

/** No wait is as long as that, in seconds: it is a time. In milliseconds it is one from 1970. */
const leastTimeSeconds = 1_000_000_000;
const leastTimeMs = 100_000_000_000;

function readReset(text: string, nowMs: number): number | null {
  const given = readNumber(text.trim().slice(0, 40));
  if (given === null && /^\d{4}-\d{2}-\d{2}T/.test(text)) {
    const atMs = Date.parse(text);
    return Number.isNaN(atMs) ? null : bounded(atMs - nowMs);
  }
  if (given === null) return readDuration(text);
  if (given >= leastTimeMs) return bounded(given - nowMs);
  return bounded(given >= leastTimeSeconds ? given * 1_000 - nowMs : given * 1_000);
}

function bounded(waitMs: number): number {
  return Math.min(Math.max(Math.ceil(waitMs), 0), mostWaitMs);
}
