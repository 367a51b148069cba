/** Lets a burst through, and after it a steady rate. */
export interface TokenBucket {
  /** Takes one token; false if there is none. */
  take(): boolean;
}

/** Makes a full bucket of `burst` tokens that refills by `perSecond`. */
export function createTokenBucket(options: { burst: number; perSecond: number; nowMs: () => number }): TokenBucket {
  const { burst, perSecond, nowMs } = options;
  let tokens = burst;
  let filledAtMs = nowMs();
  return {
    take() {
      const now = nowMs();
      // A clock that was set back refills nothing.
      tokens = Math.min(burst, tokens + (Math.max(0, now - filledAtMs) * perSecond) / 1_000);
      filledAtMs = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
