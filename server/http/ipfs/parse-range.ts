/** Positions of bytes, both inclusive, within what they are asked of. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * Reads a `Range` header (RFC 9110 §14.1.2). One range is served; what asks for several, or is no range of bytes, is
 * ignored, as the standard allows.
 *
 * @param size of the whole, bytes
 * @returns undefined for the whole, `unsatisfiable` if no byte of it is asked for
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') return to === '' ? undefined : suffixOf(Number(to), size);
  const first = Number(from);
  const last = to === '' ? Number.POSITIVE_INFINITY : Number(to);
  if (last < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) };
}

/** The last `length` bytes; more than there are is all of them. */
function suffixOf(length: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable';
  return size === 0 ? undefined : { first: Math.max(size - length, 0), last: size - 1 };
}
