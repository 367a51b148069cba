import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** A member of a JSON text's outermost object. Offsets are bytes; ends are exclusive. */
export interface TopLevelMember {
  key: string;
  keyStart: number;
  valueStart: number;
  valueEnd: number;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openers = [0x5b, 0x7b];
const closers = [0x5d, 0x7d];

/**
 * Finds the members of the outermost object of a JSON text, without building values.
 * @param text UTF-8 of a JSON object that JSON.parse accepts; of other bytes nothing is promised but an end.
 * @throws AutoPayError `duplicate_key`: readers disagree on which of two equal keys counts (RFC 8259 §4), so what was
 *   quoted might not be what the provider obeys.
 */
export function scanTopLevel(text: Buffer): TopLevelMember[] {
  const members: TopLevelMember[] = [];
  const seen = new Set<string>();
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (at < text.length && text[at] === quote) {
    const keyStart = at;
    const keyEnd = skipString(text, keyStart);
    const key = readKey(text, keyStart, keyEnd);
    if (seen.has(key)) {
      throw new AutoPayError('duplicate_key', `The body has the member "${key.slice(0, 64)}" twice. Send it once.`, {
        param: key.slice(0, 64),
      });
    }
    seen.add(key);
    at = skipSpace(text, keyEnd);
    if (text[at] !== colon) break;
    const valueStart = skipSpace(text, at + 1);
    const valueEnd = skipValue(text, valueStart);
    members.push({ key, keyStart, valueStart, valueEnd });
    at = skipSpace(text, valueEnd);
    if (text[at] !== comma) break;
    at = skipSpace(text, at + 1);
  }
  return members;
}

function readKey(text: Buffer, start: number, end: number): string {
  const raw = text.toString('utf8', start, end);
  // An escaped key ("\u006dodel") is the same key.
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
}

function skipSpace(text: Uint8Array, from: number): number {
  let at = from;
  while (at < text.length && (text[at] ?? 0) <= 0x20) at += 1;
  return at;
}

/** The offset after the string that starts at `from`. */
function skipString(text: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < text.length) {
    const byte = text[at];
    if (byte === quote) return at + 1;
    at += byte === backslash ? 2 : 1;
  }
  return text.length;
}

/** The offset after the value that starts at `from`. */
function skipValue(text: Uint8Array, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const byte = text[at] ?? 0;
    if (byte === quote) {
      at = skipString(text, at);
      if (depth === 0) return at;
    } else if (openers.includes(byte)) {
      depth += 1;
      at += 1;
    } else if (closers.includes(byte)) {
      // The outermost object's own end: a number or word stands before it.
      if (depth === 0) return at;
      depth -= 1;
      at += 1;
      if (depth === 0) return at;
    } else if (depth === 0 && (byte === comma || byte <= 0x20)) {
      return at;
    } else {
      at += 1;
    }
  }
  return text.length;
}
