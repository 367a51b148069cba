import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { KeyLedger, KeyWithProject } from '../ledger/key-ledger.ts';

/** How long a key is believed to be as it was read. Changes made at this relay count at once; those made at others, after this. */
export const keyLifetimeMs = 5_000;
/** The most keys that are remembered; the one read longest ago goes first. */
const maxRemembered = 10_000;
/** The most keys that are looked up at one time: guesses must not fill the queue that charges go through. */
const maxLookups = 64;

/** Living keys by their hash, without asking the books at each call. */
export interface KeyCache {
  /**
   * @returns undefined if there is no such key
   * @throws AutoPayError `overloaded` if too many are being looked up
   */
  find(secretHash: Hex): Promise<KeyWithProject | undefined>;
  /** Something about keys or projects has changed: all are read again. */
  clear(): void;
}

/** Makes a cache. A key that does not exist is not remembered: there is no end of those. */
export function createKeyCache(options: { ledger: Pick<KeyLedger, 'findKey'>; nowMs: () => number }): KeyCache {
  const { ledger, nowMs } = options;
  const known = new Map<Hex, { found: KeyWithProject; untilMs: number }>();
  const underWay = new Map<Hex, Promise<KeyWithProject | undefined>>();
  /** Counts the changes, so that what was read before one is not remembered after it. */
  let version = 0;

  async function read(secretHash: Hex): Promise<KeyWithProject | undefined> {
    const versionBefore = version;
    const found = await ledger.findKey(secretHash);
    if (!found || version !== versionBefore) return found;
    known.delete(secretHash);
    known.set(secretHash, { found, untilMs: nowMs() + keyLifetimeMs });
    const [oldest] = known.keys();
    if (known.size > maxRemembered && oldest !== undefined) known.delete(oldest);
    return found;
  }

  return {
    find(secretHash) {
      const entry = known.get(secretHash);
      if (entry && entry.untilMs > nowMs()) return Promise.resolve(entry.found);
      const asked = underWay.get(secretHash);
      if (asked) return asked;
      if (underWay.size >= maxLookups) {
        return Promise.reject(
          new AutoPayError('overloaded', 'Too many keys are being looked up. Try again in a second.'),
        );
      }
      const reading = read(secretHash).finally(() => underWay.delete(secretHash));
      underWay.set(secretHash, reading);
      return reading;
    },
    clear() {
      version += 1;
      known.clear();
      // A read that began before the change may answer with what was; nobody new may join it.
      underWay.clear();
    },
  };
}
