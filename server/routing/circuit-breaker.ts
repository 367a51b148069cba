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
 * Keeps calls from a deployment that fails: closed → resting, after too many failures → half-open, when one real call tries it →
 * closed again, or resting twice as long.
 */
export class CircuitBreaker {
  readonly #terms: CooldownTerms;
  readonly #failures = new MinuteWindow();
  /** How often it rested in a row without a success since. */
  #trips = 0;
  #restsUntilMs: number | null = null;
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

  /** A call begins; in the half-open state it is the probe. */
  begin(nowMs: number): void {
    if (this.#restsUntilMs !== null && nowMs >= this.#restsUntilMs) this.#probing = true;
  }

  /** An answer has begun: if this was the probe, calls are admitted again. */
  pass(): void {
    if (!this.#probing) return;
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
  fail(nowMs: number): void {
    this.#failures.add(1, nowMs);
    const wasProbe = this.#probing;
    this.#probing = false;
    if (wasProbe || (this.#restsUntilMs === null && this.#failures.sum(nowMs) > this.#terms.allowedFails)) {
      const { mostRestMs, restMs } = this.#terms;
      this.#restsUntilMs = nowMs + Math.min(restMs * 2 ** this.#trips, mostRestMs);
      this.#trips += 1;
    }
  }

  /** The call ended without telling anything of the deployment, such as by its client's leaving. */
  abandon(): void {
    this.#probing = false;
  }

  /** It asked for a pause, as with 429. Without a time it rests as after failures. */
  rest(nowMs: number, durationMs: number | null): void {
    this.#probing = false;
    const { mostRestMs, restMs } = this.#terms;
    const untilMs = nowMs + Math.min(durationMs ?? restMs, mostRestMs);
    this.#restsUntilMs = Math.max(untilMs, this.#restsUntilMs ?? 0);
  }

  /** It answers again, by other evidence than a call: the next call is the probe. */
  endRest(nowMs: number): void {
    if (this.#restsUntilMs !== null) this.#restsUntilMs = Math.min(this.#restsUntilMs, nowMs);
  }

  /** Whether it rests, or waits for its probe. */
  get isOpen(): boolean {
    return this.#restsUntilMs !== null;
  }
}
