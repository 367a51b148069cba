import type { StoredAnswer } from '../ledger/ledger.ts';
import type { CallContext } from './call-context.ts';

/** The longest answer that is kept to be given again. */
export const maxKeptAnswerBytes = 8 * 2 ** 20;

/** What the ledger is to keep of an answer; null where nobody may ask for it again, or it is too long. */
export function keepAnswer({ reserved }: Pick<CallContext, 'reserved'>, answer: StoredAnswer): StoredAnswer | null {
  return reserved.keepsAnswer && answer.body.length <= maxKeptAnswerBytes ? answer : null;
}

/** What all streams that are under way keep together, at most: a thousand of usual length, or 32 of the longest. */
export const maxKeptBytes: number = 256 * 2 ** 20;

/** Room in memory for streams that are kept as they pass. */
export class KeptBytes {
  #left: number;

  constructor(room: number = maxKeptBytes) {
    this.#left = room;
  }

  /** Takes room; false if there is not so much. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** The bytes of a stream as they pass; none any more once they are too many, or have no room. */
export class KeptStream {
  readonly #room: KeptBytes;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isLost = false;

  constructor(room: KeptBytes) {
    this.#room = room;
  }

  /** Keeps bytes; they MUST not change any more. */
  add(bytes: Uint8Array): void {
    if (this.#isLost) return;
    if (this.#bytes + bytes.length > maxKeptAnswerBytes || !this.#room.take(bytes.length)) return this.end();
    this.#bytes += bytes.length;
    this.#pieces.push(bytes);
  }

  /** All of it; null if it was too long, or there was no room. */
  take(): Buffer | null {
    return this.#isLost ? null : Buffer.concat(this.#pieces);
  }

  /** Gives its room back. MUST be called at the end of the call. */
  end(): void {
    this.#room.give(this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    this.#isLost = true;
  }
}
