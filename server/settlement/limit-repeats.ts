/** More names than this are not remembered at once; beyond it nothing new is let through. */
const maxRemembered = 10_000;

/** Makes a gate that lets each name through at most once in `everyMs`. It lasts as long as the process. */
export function createRepeatLimit(options: { everyMs: number; nowMs: () => number }): (name: string) => boolean {
  const { everyMs, nowMs } = options;
  /** When each was let through last, the oldest first. */
  const passedAtMs = new Map<string, number>();
  return (name) => {
    const now = nowMs();
    for (const [known, atMs] of passedAtMs) {
      if (now - atMs < everyMs) break;
      passedAtMs.delete(known);
    }
    if (passedAtMs.has(name) || passedAtMs.size >= maxRemembered) return false;
    passedAtMs.set(name, now);
    return true;
  };
}
