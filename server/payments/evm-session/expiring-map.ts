/** The most entries that are remembered; beyond it the oldest go first. */
const maxRemembered = 10_000;

/** Remembers values for a while. */
export interface ExpiringMap<V> {
  has(key: string): boolean;
  get(key: string): V | undefined;
  /** Remembers `value` from now on. */
  set(key: string, value: V): void;
}

/** Makes a map that forgets after `lifetimeMs`, and keeps the newest 10,000 entries. */
export function createExpiringMap<V>(lifetimeMs: number, nowMs: () => number): ExpiringMap<V> {
  const entries = new Map<string, { value: V; untilMs: number }>();
  const live = (key: string) => {
    const entry = entries.get(key);
    return entry !== undefined && entry.untilMs > nowMs() ? entry : undefined;
  };
  return {
    has: (key) => live(key) !== undefined,
    get: (key) => live(key)?.value,
    set(key, value) {
      // Inserted anew, so that the map's order is that of age.
      entries.delete(key);
      entries.set(key, { value, untilMs: nowMs() + lifetimeMs });
      const oldest = entries.keys().next();
      if (entries.size > maxRemembered && !oldest.done) entries.delete(oldest.value);
    },
  };
}
