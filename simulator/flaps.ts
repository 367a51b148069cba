/** Providers that come and go, by the model that is asked for. */
export interface Flaps {
  /** Counts a request; whether it is the one that is answered, after `failures` that were not. */
  isWell(model: string, failures: number): boolean;
}

const maxModels = 256;

/** Makes the counters; beyond 256 models the oldest begins anew. */
export function createFlaps(): Flaps {
  const counts = new Map<string, number>();
  return {
    isWell(model, failures) {
      const count = counts.get(model) ?? 0;
      counts.set(model, (count + 1) % (failures + 1));
      const oldest = counts.keys().next();
      if (counts.size > maxModels && !oldest.done) counts.delete(oldest.value);
      return count === failures;
    },
  };
}
