import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeEntryBundle } from '../../protocol/log/entry-bundle.ts';
import { tileWidth, type EntryTile } from '../../protocol/log/tile-path.ts';
import { hashesOfTile } from '../../protocol/log/tile-tree.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import type { LogTree } from './log-tree.ts';

/**
 * Reads an entry bundle (C2SP tlog-tiles, "Log entries") under the newest checkpoint, each entry checked against its leaf hash.
 * @throws AutoPayError `not_found` if the log has not so many entries; `overloaded` if too many wait; `verification_failed` if the
 * ledger has another entry than was signed
 * @param encode what is made of the bundle, within the same bounds
 */
export type EntryReader = (tile: EntryTile, encode?: (bundle: Buffer) => Promise<Buffer>) => Promise<Buffer>;

/** Bundles that are read at one time: the ledger's writer, which decides about money, reads them. */
const parallelReads = 2;

/** The most that wait for them; a reader tries again. */
const maxWaiting = 64;

/** Makes a reader for everybody who asks, which bounds what they take together. */
export function createEntryReader(deps: {
  ledger: Pick<BackgroundLedger, 'listEntries'>;
  tree: Pick<LogTree, 'readTile'>;
}): EntryReader {
  const { ledger, tree } = deps;
  const waiting: (() => void)[] = [];
  let running = 0;

  async function read({ index, width }: EntryTile, leaves: Uint8Array): Promise<Buffer> {
    const from = index * tileWidth;
    const entries = (await ledger.listEntries({ from, limit: width })).map(({ entry }) => entry);
    hashesOfTile(leaves).forEach((leaf, at) => {
      const entry = entries[at];
      if (entry && Buffer.compare(hashLeaf(entry), leaf) === 0) return;
      const message = `The ledger has not log entry ${from + at} as it was signed. Run autopay fsck.`;
      throw new AutoPayError('verification_failed', message);
    });
    return encodeEntryBundle(entries);
  }

  return async (tile, encode) => {
    const leaves = await tree.readTile({ level: 0, ...tile });
    if (waiting.length >= maxWaiting) {
      throw new AutoPayError('overloaded', 'Too many readers wait for log entries. Try again in a moment.');
    }
    if (running >= parallelReads) await new Promise<void>((resume) => waiting.push(resume));
    else running += 1;
    try {
      const bundle = await read(tile, leaves);
      return encode ? await encode(bundle) : bundle;
    } finally {
      // Whoever waits takes this one's place.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
