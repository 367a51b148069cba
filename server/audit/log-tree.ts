import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { widthIn, type Tile } from '../../protocol/log/tile-path.ts';
import { createTileTree, type TileTree } from '../../protocol/log/tile-tree.ts';
import type { GrowingTree } from './grow-tree.ts';
import type { PublishedCheckpoint, Publisher } from './publish-checkpoint.ts';

/** The transparency log, for all that proves something by it. Sizes are numbers of entries, indexes are positions of entries. */
export interface LogTree {
  /** Entries under the newest checkpoint. */
  size(): number;
  /** What was signed last. There always is one: that of the empty log at first. */
  newestCheckpoint(): PublishedCheckpoint;
  /**
   * RFC 6962 root over the first `size` entries.
   * @throws AutoPayError `not_found` if the log is smaller; as TileReader.read
   */
  root(size: number): Promise<Uint8Array>;
  /**
   * RFC 6962 §2.1.1: the path of an entry in the tree of `size`, from the leaf upwards.
   * @throws AutoPayError `not_found` unless 0 ≤ index < size ≤ the log's; as TileReader.read
   */
  inclusionProof(index: number, size: number): Promise<Uint8Array[]>;
  /**
   * RFC 9162 §2.1.4.1: that the tree of `newer` begins with that of `older`.
   * @throws AutoPayError `not_found` unless 0 < older ≤ newer ≤ the log's; as TileReader.read
   */
  consistencyProof(older: number, newer: number): Promise<Uint8Array[]>;
  /**
   * Hashes of a tile under the newest checkpoint.
   * @throws AutoPayError `not_found` if there are not so many
   */
  readTile(tile: Tile): Promise<Uint8Array>;
  /** Takes in what the ledger has by now, and signs it. @throws AutoPayError of the step that failed */
  update(): Promise<PublishedCheckpoint>;
  /**
   * Adds witnesses' signature lines to the newest checkpoint, durably; without effect if that is another by now.
   * @returns whether they were added
   */
  cosign(size: number, lines: readonly string[]): Promise<boolean>;
}

/** What a log is made of. */
export interface LogTreeDeps {
  tree: GrowingTree;
  publisher: Publisher;
  /** What was signed last; undefined before the first checkpoint. */
  newest: PublishedCheckpoint | undefined;
  /** A checkpoint that is older is signed again. */
  maxAgeMs: number;
  nowMs: () => number;
}

/** The sizes whose tiles are remembered: the newest, and those of the readers that lag a little. */
const maxTrees = 4;

/** Opens the log: what the ledger has is taken in and signed before it resolves. @throws AutoPayError as GrowingTree.grow */
export async function openLogTree(deps: LogTreeDeps): Promise<LogTree> {
  const { tree, publisher, maxAgeMs, nowMs } = deps;
  const trees = new Map<number, TileTree>();
  const inTurn = createTurns();

  async function update(before: PublishedCheckpoint | undefined): Promise<PublishedCheckpoint> {
    await tree.grow();
    const state = { size: tree.size(), root: tree.root() };
    const isCurrent = before?.size === state.size && nowMs() - before.signedAtMs < maxAgeMs;
    return isCurrent && publisher.isSigned(before.note) ? before : publisher.publish(state, before?.note);
  }

  let newest = await update(deps.newest);

  function treeOf(size: number): TileTree {
    if (!Number.isSafeInteger(size) || size < 0 || size > newest.size) throw notInLog(`size ${size}`, newest.size);
    const known = trees.get(size) ?? createTileTree({ size, readTile: (tile) => tree.readTile(tile) });
    trees.delete(size);
    const [oldest] = trees.size >= maxTrees ? trees.keys() : [];
    if (oldest !== undefined) trees.delete(oldest);
    trees.set(size, known);
    return known;
  }

  return {
    size: () => newest.size,
    newestCheckpoint: () => newest,
    root: async (size) => treeOf(size).subtreeRoot(0, size),
    async inclusionProof(index, size) {
      if (!isWithin(index, size)) throw notInLog(`entry ${index} among ${size}`, newest.size);
      return treeOf(size).inclusionProof(index);
    },
    async consistencyProof(older, newer) {
      if (!isWithin(older - 1, newer)) throw notInLog(`size ${older} within ${newer}`, newest.size);
      return treeOf(newer).consistencyProof(older);
    },
    async readTile(tile) {
      const width = widthIn(newest.size, tile);
      if (tile.width > width) throw notInLog(`tile ${tile.level}/${tile.index} of ${tile.width} hashes`, newest.size);
      return tree.readTile(tile);
    },
    update: () =>
      inTurn(async () => {
        newest = await update(newest);
        return newest;
      }),
    cosign: (size, lines) =>
      inTurn(async () => {
        if (newest.size !== size) return false;
        newest = await publisher.cosign(newest, lines);
        return true;
      }),
  };
}

function isWithin(index: number, size: number): boolean {
  return Number.isSafeInteger(index) && index >= 0 && index < size;
}

function notInLog(what: string, size: number): AutoPayError {
  return new AutoPayError('not_found', `The log has no ${what}: its newest checkpoint has ${size} entries.`, {
    facts: { size },
  });
}

/** One piece of work after the other. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve();
  return <Result>(work: () => Promise<Result>): Promise<Result> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
