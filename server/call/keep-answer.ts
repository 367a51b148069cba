import type { StoredAnswer } from '../ledger/ledger.ts';
import type { CallContext } from './call-context.ts';

/** The longest answer that is kept to be given again. */
export const maxKeptAnswerBytes = 8 * 2 ** 20;

/** What the ledger is to keep of an answer; null where nobody may ask for it again, or it is too long. */
export function keepAnswer({ reserved }: Pick<CallContext, 'reserved'>, answer: StoredAnswer): StoredAnswer | null {
  return reserved.keepsAnswer && answer.body.length <= maxKeptAnswerBytes ? answer : null;
}

/** The bytes of a stream as they pass; none any more once they are too many. */
export class KeptStream {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /** Keeps bytes; they MUST not change any more. */
  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= maxKeptAnswerBytes) this.#pieces.push(bytes);
    else this.#pieces = [];
  }

  /** All of it; null if it was too long. */
  take(): Buffer | null {
    return this.#bytes > maxKeptAnswerBytes ? null : Buffer.concat(this.#pieces);
  }
}
