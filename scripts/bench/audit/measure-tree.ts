import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTileTree, type TileTree } from '../../../protocol/log/tile-tree.ts';
import { verifyConsistency } from '../../../protocol/merkle/consistency.ts';
import { verifyInclusion } from '../../../protocol/merkle/inclusion.ts';
import { growTree } from '../../../server/audit/grow-tree.ts';
import { TileEdge } from '../../../server/audit/tile-edge.ts';
import { createTileStore } from '../../../server/audit/tile-store.ts';
import { figure, type Figure } from '../report.ts';
import { cpuSeconds } from './cpu-seconds.ts';
import { hashEntries, type SyntheticLeaves } from './synthetic-log.ts';

const proofs = 2_000;
const consistencyProofs = 500;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * A log of `count` entries: hashed, appended, proven and verified, with the tiles on disk as the relay has them. Rates are of CPU time, but
 * where the disk is waited for; proofs are timed by the clock.
 */
export async function measureTree(count: number): Promise<Figure[]> {
  const name = (what: string) => `${count.toLocaleString('en')} entries: ${what}`;
  const leaves = hashEntries(count);
  const folder = await mkdtemp(join(tmpdir(), 'autopay-bench-'));
  try {
    const inMemory = appendInMemory(leaves, count);
    const grown = growTree(
      { store: createTileStore(folder), ledger: ledgerOf(leaves, count), log: silent },
      new TileEdge(),
    );
    const start = performance.now();
    await grown.grow();
    const growSeconds = (performance.now() - start) / 1_000;
    const tree = createTileTree({ size: count, readTile: (tile) => grown.readTile(tile) });
    const inclusion = await measureInclusion(tree, { count, leaves, root: grown.root() });
    const consistency = await measureConsistency(tree, { count, root: grown.root() });
    const perSecond = (seconds: number) => count / seconds;
    return [
      figure(name(`hashed, ${leaves.entryBytes} bytes each`), perSecond(leaves.seconds), 'leaves/s', {
        atLeast: 300_000,
      }),
      figure(name('appended, in memory'), perSecond(inMemory), 'appends/s'),
      figure(name('appended, every full tile synced to disk'), perSecond(growSeconds), 'appends/s'),
      figure(name('inclusion proof, median'), inclusion.medianMs, 'ms', { atMost: 1 }),
      figure(name('inclusion proof, 99th percentile'), inclusion.p99Ms, 'ms'),
      figure(name('inclusion proofs'), inclusion.perSecond, 'proofs/s'),
      figure(name('inclusion proofs verified'), inclusion.verifiedPerSecond, 'proofs/s'),
      figure(name('consistency proof, median'), consistency.medianMs, 'ms'),
      figure(name('consistency proofs verified'), consistency.verifiedPerSecond, 'proofs/s'),
      figure(name('proofs that do not verify'), inclusion.wrong + consistency.wrong, 'proofs', { atMost: 0 }),
      figure(name('resident memory, leaf hashes included'), process.memoryUsage().rss / 2 ** 20, 'MiB'),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Stands for the ledger, which has the leaf hashes of all entries. */
function ledgerOf({ hashes }: SyntheticLeaves, count: number) {
  const at = (index: number) => hashes.subarray(32 * index, 32 * index + 32);
  return {
    logSize: async () => count,
    listLeafHashes: async ({ from, limit }: { from: number; limit: number }) =>
      Array.from({ length: Math.min(limit, count - from) }, (_, offset) => at(from + offset)),
  };
}

/** CPU seconds; what becomes full is dropped. */
function appendInMemory({ hashes }: SyntheticLeaves, count: number): number {
  const edge = new TileEdge();
  return cpuSeconds(() => {
    for (let index = 0; index < count; index += 1) edge.append(hashes.subarray(32 * index, 32 * index + 32));
  });
}

async function measureInclusion(tree: TileTree, log: { count: number; leaves: SyntheticLeaves; root: Uint8Array }) {
  const { count, leaves, root } = log;
  // A stride that is odd meets every part of the tree, and is the same in each run.
  const stride = Math.max(1, Math.floor(count * 0.618) | 1);
  const places = Array.from({ length: proofs }, (_, at) => (at * stride) % count);
  const paths: Uint8Array[][] = [];
  const times: number[] = [];
  for (const index of places) {
    const start = performance.now();
    paths.push(await tree.inclusionProof(index));
    times.push(performance.now() - start);
  }
  let wrong = 0;
  const verifySeconds = cpuSeconds(() => {
    places.forEach((index, at) => {
      const leafHash = leaves.hashes.subarray(32 * index, 32 * index + 32);
      if (!verifyInclusion({ leafHash, index, size: count, path: paths[at] ?? [], root })) wrong += 1;
    });
  });
  return { ...spread(times), perSecond: rateOf(times), verifiedPerSecond: proofs / verifySeconds, wrong };
}

async function measureConsistency(tree: TileTree, { count, root }: { count: number; root: Uint8Array }) {
  const claims: { olderSize: number; olderRoot: Uint8Array; proof: Uint8Array[] }[] = [];
  const times: number[] = [];
  for (let at = 1; at <= consistencyProofs; at += 1) {
    const olderSize = Math.ceil((count * at) / (consistencyProofs + 1));
    const olderRoot = await tree.subtreeRoot(0, olderSize);
    const start = performance.now();
    claims.push({ olderSize, olderRoot, proof: await tree.consistencyProof(olderSize) });
    times.push(performance.now() - start);
  }
  let wrong = 0;
  const verifySeconds = cpuSeconds(() => {
    for (const claim of claims) if (!verifyConsistency({ ...claim, newerRoot: root, newerSize: count })) wrong += 1;
  });
  return { ...spread(times), verifiedPerSecond: consistencyProofs / verifySeconds, wrong };
}

function rateOf(timesMs: readonly number[]): number {
  return timesMs.length / (timesMs.reduce((sum, ms) => sum + ms, 0) / 1_000);
}

function spread(timesMs: readonly number[]): { medianMs: number; p99Ms: number } {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return { medianMs: at(0.5), p99Ms: at(0.99) };
}
