import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** What bounds how many transactions are signed and in no block. */
export interface SigningPlacesOptions {
  most: number;
  /** How many transactions have a place because they are followed. */
  taken: () => number;
  /** How long each caller waits for a place. */
  waitMs: number;
}

interface Waiting {
  deadlineMs: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** More jobs than this never wait to be signed; a later interval finds their work again. */
const maxWaiting = 1_024;

/** The places for transactions of one account that may be signed before earlier ones are in a block, in the order of who asked. */
export class SigningPlaces {
  readonly #options: SigningPlacesOptions;
  #queue: Waiting[] = [];
  /** Given to callers that have not signed yet. */
  #reserved = 0;

  constructor(options: SigningPlacesOptions) {
    this.#options = options;
  }

  /** Whether somebody waits for a place. */
  get isAwaited(): boolean {
    return this.#queue.length > 0;
  }

  /**
   * Resolves when one more transaction may be signed; `release` gives the place back.
   * @throws AutoPayError `overloaded` if too many wait, `chain_unavailable` if there is none in time
   */
  reserve(): Promise<void> {
    if (this.#hasRoom()) {
      this.#reserved += 1;
      return Promise.resolve();
    }
    if (this.#queue.length >= maxWaiting) {
      const message = 'Too many transactions wait for the relay account. Try again later.';
      return Promise.reject(new AutoPayError('overloaded', message));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ deadlineMs: Date.now() + this.#options.waitMs, resolve, reject });
    });
  }

  release(): void {
    this.#reserved -= 1;
    this.admit();
  }

  /** Lets the next callers sign for whom there is room. */
  admit(): void {
    while (this.#queue.length > 0 && this.#hasRoom()) {
      this.#reserved += 1;
      this.#queue.shift()?.resolve();
    }
  }

  /** Tells those who have waited too long. */
  expire(nowMs: number): void {
    const late = this.#queue.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    this.#queue = this.#queue.filter(({ deadlineMs }) => deadlineMs > nowMs);
    const message = `${this.#options.taken()} transactions of the relay's account are in no block: nothing more is signed. Try again later.`;
    for (const { reject } of late) reject(new AutoPayError('chain_unavailable', message));
  }

  rejectAll(error: unknown): void {
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  #hasRoom(): boolean {
    return this.#options.taken() + this.#reserved < this.#options.most;
  }
}
