import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import { inclusionProofOf } from '../../protocol/merkle/inclusion.ts';
import type { StoredBlock } from '../ledger/background-ledger.ts';
import { buildInclusionPath } from './build-inclusion-path.ts';

const leafHashes = Array.from(
  { length: 40 },
  (_, index) => new Uint8Array(createHash('sha256').update(String(index)).digest()),
);

/** Blocks that end at these sizes. */
function blocksAt(sizes: readonly number[]): StoredBlock[] {
  const tree = new Frontier();
  return sizes.map((size) => {
    const start = tree.size;
    for (const leafHash of leafHashes.slice(start, size)) tree.append(leafHash);
    return { start, size, cid: `block-${size}`, root: tree.root(), frontier: [...tree.roots] };
  });
}

function ledgerWith(blocks: readonly StoredBlock[], leaves = leafHashes) {
  let read = 0;
  return {
    readCount: () => read,
    findBlockOf: async (index: number) => blocks.find(({ start, size }) => start <= index && index < size),
    async listLeafHashes({ from, limit }: { from: number; limit: number }) {
      const page = leaves.slice(from, from + Math.min(limit, 3));
      read += page.length;
      return page;
    },
  };
}

test('is the path that all leaves lead to, wherever blocks and anchors end', async () => {
  const sizes = [1, 5, 6, 13, 24, 31, 40];
  const ledger = ledgerWith(blocksAt(sizes));
  for (const size of sizes) {
    for (let index = 0; index < size; index += 1) {
      const path = await buildInclusionPath(ledger, { index, size });
      expect(path, `${index} of ${size}`).toEqual(inclusionProofOf(leafHashes.slice(0, size), index));
    }
  }
});

test('reads nothing of what lies before the block', async () => {
  const ledger = ledgerWith(blocksAt([13, 24, 31, 40]));
  await buildInclusionPath(ledger, { index: 25, size: 31 });
  expect(ledger.readCount()).toBe(7);
});

test('says what the ledger lacks', async () => {
  const blocks = blocksAt([5, 13]);
  await expect(buildInclusionPath(ledgerWith(blocks), { index: 20, size: 21 })).rejects.toThrow(
    'No block of the ledger holds log entry 20. Run autopay fsck.',
  );
  await expect(buildInclusionPath(ledgerWith(blocks, leafHashes.slice(0, 9)), { index: 6, size: 13 })).rejects.toThrow(
    'The ledger has no log entry 9. Run autopay fsck.',
  );
});
