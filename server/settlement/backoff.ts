/** Says whose turn it is among what is tried again and again. */
export interface Backoff {
  /** Those of `names` whose turn it is; their next wait is twice as long. What is not among `names` is forgotten. */
  take<Name extends string>(names: readonly Name[]): ReadonlySet<Name>;
}

/** Makes a backoff whose waits grow from `firstMs` to `mostMs`; what is new has its turn at once. It lasts as long as the process. */
export function createBackoff(options: { firstMs: number; mostMs: number; nowMs: () => number }): Backoff {
  const { firstMs, mostMs, nowMs } = options;
  let waits = new Map<string, { waitMs: number; atMs: number }>();
  return {
    take<Name extends string>(names: readonly Name[]) {
      const now = nowMs();
      const turns = new Set<Name>();
      const next: typeof waits = new Map();
      for (const name of names) {
        const known = waits.get(name);
        if (known !== undefined && now < known.atMs) {
          next.set(name, known);
          continue;
        }
        const waitMs = known === undefined ? firstMs : Math.min(2 * known.waitMs, mostMs);
        turns.add(name);
        next.set(name, { waitMs, atMs: now + waitMs });
      }
      waits = next;
      return turns;
    },
  };
}
