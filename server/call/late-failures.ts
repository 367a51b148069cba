import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** So many answers may fail so in one window. Half of a payer's calls may anyway: then it is the provider. */
export const maxLateFailures = 100;
/** How long they are counted together, from the first. */
export const lateFailureWindowMs = 600_000;
/** The most payers that are remembered; whose window began longest ago is forgotten first. */
const maxPayers = 100_000;

interface Window {
  startedAtMs: number;
  late: number;
  whole: number;
}

/**
 * Counts, by payer, the answers that break off at their provider's after the client has seen part of them, those that lack the
 * evidence that is demanded, those that are none though the provider says they are (nothing chosen), and those that take longer than the relay waits, for their end or after their client has gone, with nothing of
 * them read: they cost the payer nothing and the relay what its provider takes, so whoever can bring a provider to fail would read, or
 * waste, for nothing.
 */
export class LateFailures {
  readonly #windows = new Map<string, Window>();

  /** A call of the payer's has ended: with its answer, or with a part of it that is not charged. */
  note(payer: string, { isLate, nowMs }: { isLate: boolean; nowMs: number }): void {
    const known = this.#find(payer, nowMs);
    // Payers of whom nothing broke off need no window.
    if (!known && !isLate) return;
    const window = known ?? { startedAtMs: nowMs, late: 0, whole: 0 };
    if (isLate) window.late += 1;
    else window.whole += 1;
    if (known) return;
    this.#windows.set(payer, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > maxPayers && oldest !== undefined) this.#windows.delete(oldest);
  }

  /** @throws AutoPayError `rate_limit_exceeded` with `retryAfterSeconds`, to a payer of whose calls too many ended so. */
  require(payer: string, nowMs: number): void {
    const window = this.#find(payer, nowMs);
    if (!window || window.late < maxLateFailures || window.late <= window.whole) return;
    const retryAfterSeconds = Math.ceil((window.startedAtMs + lateFailureWindowMs - nowMs) / 1_000);
    const message = `Too many of your answers broke off at the provider, were empty, took too long, or lacked the evidence that is demanded, uncharged. Try again in ${retryAfterSeconds} s, or take another model then.`;
    throw new AutoPayError('rate_limit_exceeded', message, { facts: { retryAfterSeconds } });
  }

  #find(payer: string, nowMs: number): Window | undefined {
    const window = this.#windows.get(payer);
    if (!window || nowMs < window.startedAtMs + lateFailureWindowMs) return window;
    this.#windows.delete(payer);
    return undefined;
  }
}
