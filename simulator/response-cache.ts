/** A cache that holds at most so many bytes and forgets what was longest unused. */
export interface ResponseCache<T extends { sizeBytes: number }> {
  get(key: string): T | undefined;
  /** Stores a value; one that is larger than an eighth of the cache is not kept. */
  set(key: string, value: T): void;
}

// What an entry costs beside its bytes: key, objects, map slot.
const ENTRY_OVERHEAD_BYTES = 1_024;

/** Makes a cache of at most `limitBytes`, counting each value twice (frames, and all frames in one). */
export function createResponseCache<T extends { sizeBytes: number }>(limitBytes: number): ResponseCache<T> {
  const entries = new Map<string, T>();
  let usedBytes = 0;
  const cost = (value: T): number => value.sizeBytes * 2 + ENTRY_OVERHEAD_BYTES;
  const remove = (key: string): void => {
    const value = entries.get(key);
    if (value !== undefined && entries.delete(key)) usedBytes -= cost(value);
  };
  return {
    get: (key) => {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      // A map iterates in order of insertion, so the front is what was longest unused.
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set: (key, value) => {
      remove(key);
      if (cost(value) > limitBytes / 8) return;
      entries.set(key, value);
      usedBytes += cost(value);
      for (const oldest of entries.keys()) {
        if (usedBytes <= limitBytes) break;
        remove(oldest);
      }
    },
  };
}
