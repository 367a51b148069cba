import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';

/** For tests: what the log is made from, without books, so that it can be long, short of entries, or other than it was. */
export interface ToyEntries extends Pick<BackgroundLedger, 'listEntries' | 'listLeafHashes' | 'logSize'> {
  entries: Uint8Array[];
  leafHashes: Uint8Array[];
  /** How many leaf hashes were asked for. */
  leavesRead: number;
  /** Appends as many entries. */
  add(count: number): void;
}

/** For tests: entries that are their own index. */
export function createToyEntries(count = 0): ToyEntries {
  const toy: ToyEntries = {
    ...{ entries: [], leafHashes: [], leavesRead: 0 },
    add(more) {
      for (let left = more; left > 0; left -= 1) {
        const entry = Buffer.from(`entry ${toy.entries.length}`);
        toy.entries.push(entry);
        toy.leafHashes.push(hashLeaf(entry));
      }
    },
    logSize: () => Promise.resolve(toy.leafHashes.length),
    async listLeafHashes({ from, limit }) {
      const page = toy.leafHashes.slice(from, from + limit);
      toy.leavesRead += page.length;
      return page;
    },
    listEntries: ({ from, limit }) =>
      Promise.resolve(
        toy.entries
          .slice(from, from + limit)
          .map((entry, at) => ({ index: from + at, callId: `call-${from + at}`, entry })),
      ),
  };
  toy.add(count);
  return toy;
}

/** For tests: a log that keeps what is said, without the facts. */
export function createToyLog(): JobLog & { said: string[] } {
  const said: string[] = [];
  const say = (level: string) => (_: object, message: string) => void said.push(`${level}: ${message}`);
  return { said, info: say('info'), warn: say('warn'), error: say('error') };
}
