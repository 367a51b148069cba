import { isHex, type Hex } from '../protocol/bytes/hex.ts';

/** A mapping of a parsed file. */
export type Mapping = Record<string, unknown>;

/** The value as a mapping; throws TypeError if it is none, as all of these do. */
export function mapping(value: unknown): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('a section is missing');
  return value as Mapping;
}

/** The value as a list. */
export function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new TypeError('a list is missing');
  return value;
}

/** The value as a text. */
export function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a text is missing');
  return value;
}

/** The value as a number of things. */
export function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new TypeError('a number is missing');
  return value;
}

/** The value as an address, in lower case. */
export function address(value: unknown): Hex {
  if (!isHex(value, 20)) throw new TypeError('an address is missing, or is not in quotes');
  return value.toLowerCase() as Hex;
}
