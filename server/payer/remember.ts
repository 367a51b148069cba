/**
 * Remembers what a question was answered, by its key, for `lifetimeMs`; those who ask at the same time share one question. Failures
 * are not remembered.
 */
export function remember<Value>(options: {
  ask: (key: string) => Promise<Value>;
  lifetimeMs: number;
  nowMs: () => number;
}): (key: string) => Promise<Value> {
  const { ask, lifetimeMs, nowMs } = options;
  const known = new Map<string, { answer: Promise<Value>; untilMs: number }>();
  return (key) => {
    const entry = known.get(key);
    if (entry && entry.untilMs > nowMs()) return entry.answer;
    if (known.size >= maxRemembered) known.clear();
    const answer = ask(key);
    known.set(key, { answer, untilMs: nowMs() + lifetimeMs });
    answer.catch(() => known.delete(key));
    return answer;
  };
}

/** Keys come from configuration and from those who sign receipts; nobody has so many. */
const maxRemembered = 1_000;
