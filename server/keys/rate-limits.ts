import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** The limits of a key. */
export interface KeyRates {
  keyId: string;
  /** Requests per minute; null for no limit. */
  rpmLimit: number | null;
  /** Tokens per minute, of prompt and completion; null for no limit. */
  tpmLimit: number | null;
}

/** What keys may do in a minute, at this relay: several relays count each for itself. */
export interface RateLimits {
  /**
   * Counts a request. Tokens are known only after the call, so they are counted then: a request is let in while any are left, and
   * calls that run at one time may together exceed the limit, which the minutes after make up for.
   * @throws AutoPayError `rate_limit_exceeded` with `retryAfterSeconds`
   */
  enter(rates: KeyRates): void;
  /** Counts what a call used. */
  spend(keyId: string, tokens: number): void;
}

/** The most keys whose rates are remembered; the one that called longest ago is forgotten, and then begins with a full minute. */
const maxKeys = 10_000;
const minuteMs = 60_000;

/** A minute's worth at most, filled evenly; may be overdrawn. */
class Bucket {
  readonly #nowMs: () => number;
  #limit: number;
  #level: number;
  #filledAtMs: number;

  constructor(limit: number, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#limit = limit;
    this.#level = limit;
    this.#filledAtMs = nowMs();
  }

  /** Milliseconds until `amount` is there; 0 if it is. */
  waitMs(amount: number, limit: number): number {
    this.#fill(limit);
    return this.#level >= amount ? 0 : ((amount - this.#level) * minuteMs) / limit;
  }

  take(amount: number): void {
    this.#level -= amount;
  }

  #fill(limit: number): void {
    const now = this.#nowMs();
    const passedMs = Math.max(0, now - this.#filledAtMs);
    this.#filledAtMs = now;
    // A limit that was changed holds at once; what was overdrawn stays so.
    this.#level = Math.min(limit, this.#level + (passedMs * this.#limit) / minuteMs);
    this.#limit = limit;
  }
}

/** Makes the limits of one relay. */
export function createRateLimits(nowMs: () => number): RateLimits {
  const keys = new Map<string, { requests?: Bucket; tokens?: Bucket }>();

  function remember(keyId: string): { requests?: Bucket; tokens?: Bucket } {
    const buckets = keys.get(keyId) ?? {};
    keys.delete(keyId);
    keys.set(keyId, buckets);
    const [oldest] = keys.keys();
    if (keys.size > maxKeys && oldest !== undefined) keys.delete(oldest);
    return buckets;
  }

  return {
    enter({ keyId, rpmLimit, tpmLimit }) {
      if (rpmLimit === null && tpmLimit === null) return void keys.delete(keyId);
      const buckets = remember(keyId);
      if (tpmLimit === null) delete buckets.tokens;
      else {
        buckets.tokens ??= new Bucket(tpmLimit, nowMs);
        refuseIf(buckets.tokens.waitMs(1, tpmLimit), { limit: tpmLimit, of: 'tokens' });
      }
      if (rpmLimit === null) delete buckets.requests;
      else {
        buckets.requests ??= new Bucket(rpmLimit, nowMs);
        refuseIf(buckets.requests.waitMs(1, rpmLimit), { limit: rpmLimit, of: 'requests' });
        buckets.requests.take(1);
      }
    },
    spend: (keyId, tokens) => keys.get(keyId)?.tokens?.take(tokens),
  };
}

function refuseIf(waitMs: number, { limit, of }: { limit: number; of: 'requests' | 'tokens' }): void {
  if (waitMs === 0) return;
  const retryAfterSeconds = Math.ceil(waitMs / 1_000);
  const message = `This key may use ${limit} ${of} per minute. Try again in ${retryAfterSeconds} s.`;
  const facts = { limit, limitOf: of, retryAfterSeconds };
  throw new AutoPayError('rate_limit_exceeded', message, { facts });
}
