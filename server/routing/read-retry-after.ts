/** No provider means more than a day. */
export const mostWaitMs = 86_400_000;

/**
 * How long a provider asks to wait, in all the forms that there are: `retry-after-ms`, `retry-after` in seconds or as a date
 * (RFC 9110 §10.2.3).
 * @param headers names in lower case
 * @returns milliseconds, at most a day; null if it says nothing that can be read
 */
export function readRetryAfter(headers: Readonly<Record<string, string | undefined>>, nowMs: number): number | null {
  const inMs = readNumber(headers['retry-after-ms']);
  if (inMs !== null) return Math.min(Math.ceil(inMs), mostWaitMs);
  const text = headers['retry-after'];
  const seconds = readNumber(text);
  if (seconds !== null) return Math.min(Math.ceil(seconds * 1_000), mostWaitMs);
  // Date.parse takes much that is no date; every form of RFC 9110 names its month.
  if (text === undefined || text.length > 64 || !/[A-Za-z]{3}/.test(text)) return null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.min(Math.max(atMs - nowMs, 0), mostWaitMs);
}

/** A number as headers have it; null if it is none, or negative. */
export function readNumber(text: string | undefined): number | null {
  return text !== undefined && /^\s*[0-9]{1,13}(?:\.[0-9]{1,15})?\s*$/.test(text) ? Number(text) : null;
}
