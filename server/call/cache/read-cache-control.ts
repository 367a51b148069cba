/** What a request's `Cache-Control` allows. */
export interface CacheControl {
  mayRead: boolean;
  mayStore: boolean;
  /** The oldest answer that it takes; infinite if it does not say. */
  maxAgeMs: number;
}

/** Reads `no-store`, `no-cache` and `max-age` of a request (RFC 9111 §5.2.1); other directives say nothing here. */
export function readCacheControl(header: string | undefined): CacheControl {
  const directives = (header ?? '').split(',').map((one) => one.trim().toLowerCase());
  const mayStore = !directives.includes('no-store');
  const seconds = directives.map((one) => /^max-age="?([0-9]{1,9})"?$/.exec(one)?.[1]).find((age) => age !== undefined);
  return {
    mayStore,
    mayRead: mayStore && !directives.includes('no-cache'),
    maxAgeMs: seconds === undefined ? Infinity : Number(seconds) * 1_000,
  };
}
