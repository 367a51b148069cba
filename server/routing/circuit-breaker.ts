import { MinuteWindow } from './minute-window.ts';

/** When a deployment rests. */
export interface CooldownTerms {
  /** More failures than that within a minute trip the breaker. */
  allowedFails: number;
  /** How long it rests the first time. */
  restMs: number;
  /** It rests twice as long each time in a row, and at most this long. */
  mostRestMs: number;
}

/**
 * What a call is to the breaker: the probe, which alone decides whether a rest is over, or any other. Calls that were under way before
 * the rest end within it, and late: they must neither lengthen it nor let a second probe in.
 */
export type CallRole = 'probe' | 'call';

/**
 * Keeps calls from a deployment that fails: closed → resting, after too many failures → half-open, when one real call tries it →
 * closed again, or resting twice as long.
 */
export class CircuitBreaker {
  readonly #terms: CooldownTerms;
  readonly #failures = new MinuteWindow();
  /** How often it rested in a row without a success since. */
  #trips = 0;
  #restsUntilMs: number | null = null;
  /** Until then it rests because the provider asked for that. */
  #askedUntilMs = 0;
  #probing = false;

  constructor(terms: CooldownTerms) {
    this.#terms = terms;
  }

  /** Whether a call may begin now. */
  admits(nowMs: number): boolean {
    return this.#restsUntilMs === null || (nowMs >= this.#restsUntilMs && !this.#probing);
  }

  /** When it next admits a call, as far as that is known; unix milliseconds. */
  admitsAtMs(nowMs: number): number {
    return Math.max(nowMs, this.#restsUntilMs ?? nowMs);
  }

  /** A call begins; in the half-open state it is the probe. Its role is told with how it went. */
  begin(nowMs: number): CallRole {
    if (this.#restsUntilMs === null || nowMs < this.#restsUntilMs || this.#probing) return 'call';
    this.#probing = true;
    return 'probe';
  }

  /** An answer has begun: if this was the probe, calls are admitted again. */
  pass(role: CallRole): void {
    if (role === 'call') return;
    this.#probing = false;
    this.#restsUntilMs = null;
    // What tripped it is past; the next failures are judged anew.
    this.#failures.clear();
  }

  /** An answer came to its end. Failures of the last minute still count: one that fails every other call shall rest too. */
  succeed(): void {
    if (this.#restsUntilMs === null) this.#trips = 0;
  }

  /** The call failed. */
  fail(role: CallRole, nowMs: number): void {
    this.#failures.add(1, nowMs);
    this.abandon(role);
    if (role === 'probe' || (this.#restsUntilMs === null && this.#failures.sum(nowMs) > this.#terms.allowedFails)) {
      const { mostRestMs, restMs } = this.#terms;
      this.#restsUntilMs = nowMs + Math.min(restMs * 2 ** this.#trips, mostRestMs);
      this.#trips += 1;
    }
  }

  /** The call ended without telling anything of the deployment, such as by its client's leaving. */
  abandon(role: CallRole): void {
    if (role === 'probe') this.#probing = false;
  }

  /** It asked for a pause, as with 429. Without a time it rests as after failures. */
  rest(role: CallRole, nowMs: number, durationMs: number | null): void {
    this.abandon(role);
    const { mostRestMs, restMs } = this.#terms;
    const untilMs = nowMs + Math.min(durationMs ?? restMs, mostRestMs);
    if (durationMs !== null) this.#askedUntilMs = Math.max(untilMs, this.#askedUntilMs);
    this.#restsUntilMs = Math.max(untilMs, this.#restsUntilMs ?? 0);
  }

  /** It answers again, by other evidence than a call: the next call is the probe. A pause that it asked for is kept. */
  endRest(nowMs: number): void {
    if (this.#restsUntilMs === null) return;
    this.#restsUntilMs = Math.min(this.#restsUntilMs, Math.max(nowMs, this.#askedUntilMs));
  }

  /** Whether it rests, or waits for its probe. */
  get isOpen(): boolean {
    return this.#restsUntilMs !== null;
  }
}
