const secondsKept = 60;

/** Sums what happened within the last 60 seconds, to the second. */
export class MinuteWindow {
  readonly #amounts = new Array<number>(secondsKept).fill(0);
  #second = 0;
  #sum = 0;

  add(amount: number, nowMs: number): void {
    this.#advance(nowMs);
    const at = this.#second % secondsKept;
    this.#amounts[at] = (this.#amounts[at] ?? 0) + amount;
    this.#sum += amount;
  }

  /** Corrects what was added at `atMs`; what is forgotten by now needs no correction. */
  correct(amount: number, { atMs, nowMs }: { atMs: number; nowMs: number }): void {
    this.#advance(nowMs);
    const second = Math.min(Math.floor(atMs / 1_000), this.#second);
    if (second <= this.#second - secondsKept) return;
    const at = modulo(second);
    this.#amounts[at] = (this.#amounts[at] ?? 0) + amount;
    this.#sum += amount;
  }

  sum(nowMs: number): number {
    this.#advance(nowMs);
    return this.#sum;
  }

  /** When the sum will be at most `most`, in unix milliseconds; at once if it is now. */
  fallsToAtMs(most: number, nowMs: number): number {
    this.#advance(nowMs);
    let left = this.#sum;
    for (let age = secondsKept - 1; left > most && age >= 0; age -= 1) {
      const second = this.#second - age;
      left -= this.#amounts[modulo(second)] ?? 0;
      if (left <= most) return (second + secondsKept) * 1_000;
    }
    return nowMs;
  }

  clear(): void {
    this.#amounts.fill(0);
    this.#sum = 0;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    // A clock that is set back must not bring back what was forgotten.
    if (second <= this.#second) return;
    const passed = Math.min(second - this.#second, secondsKept);
    for (let step = 0; step < passed; step += 1) {
      const at = modulo(second - step);
      this.#sum -= this.#amounts[at] ?? 0;
      this.#amounts[at] = 0;
    }
    this.#second = second;
  }
}

function modulo(second: number): number {
  return ((second % secondsKept) + secondsKept) % secondsKept;
}
