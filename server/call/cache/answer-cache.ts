import type { Deployment } from '../types.ts';

/** An answer as a provider gave it, whole and charged. */
export interface CachedAnswer {
  contentType: string;
  /** The provider's exact bytes; of a stream all of it. */
  body: Uint8Array;
  storedAtMs: number;
  /** Who gave it: how its usage is to be read depends on that. */
  origin: Pick<Deployment, 'model' | 'quirks'>;
}

/** The longest answer that is stored. */
export const maxCachedBytes = 2 ** 20;

/** What an entry takes beside its body, about. */
const entryBytes = 512;

/**
 * Answers by the key of their request, in memory only: prompts are not in it, and nothing of it outlives the process. Where there are
 * more than `maxBytes`, those go that were not asked for the longest.
 */
export class AnswerCache {
  readonly #maxBytes: number;
  readonly #answers = new Map<string, CachedAnswer>();
  #bytes = 0;

  constructor({ maxBytes }: { maxBytes: number }) {
    this.#maxBytes = maxBytes;
  }

  /** The answer, if it is not older than `maxAgeMs`. */
  find(key: string, { maxAgeMs, nowMs }: { maxAgeMs: number; nowMs: number }): CachedAnswer | undefined {
    const found = this.#answers.get(key);
    if (found === undefined || nowMs - found.storedAtMs >= maxAgeMs) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, found);
    return found;
  }

  /** Stores an answer, or puts it in the place of an older one. One that is too long is not stored. */
  put(key: string, answer: CachedAnswer): void {
    if (answer.body.length > maxCachedBytes) return;
    this.#remove(key);
    // A copy: what came from Buffer's pool would keep all of that memory, uncounted.
    this.#answers.set(key, { ...answer, body: new Uint8Array(answer.body) });
    this.#bytes += answer.body.length + entryBytes;
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    const found = this.#answers.get(key);
    if (found === undefined) return;
    this.#answers.delete(key);
    this.#bytes -= found.body.length + entryBytes;
  }
}
