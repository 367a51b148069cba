import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import { inclusionProof } from '../../protocol/merkle/inclusion.ts';
import type { BackgroundLedger, StoredBlock } from '../ledger/background-ledger.ts';

/**
 * The RFC 6962 audit path of log entry `index` in the tree over the first `size` entries, from the leaf upwards. What lies
 * before the entry's block comes from the frontier that the block was stored with, so that a long log is not read again.
 * @throws AutoPayError `internal_error` if the ledger lacks the block or an entry up to `size`.
 */
export async function buildInclusionPath(
  ledger: Pick<BackgroundLedger, 'findBlockOf' | 'listLeafHashes'>,
  { index, size }: { index: number; size: number },
): Promise<Uint8Array[]> {
  const block = await ledger.findBlockOf(index);
  const before = block === undefined || block.start === 0 ? undefined : await ledger.findBlockOf(block.start - 1);
  if (block === undefined || (block.start > 0 && before === undefined)) {
    throw new AutoPayError('internal_error', `No block of the ledger holds log entry ${index}. Run autopay fsck.`);
  }
  const leafHashes = await listLeafHashes(ledger, { from: block.start, to: size });
  const roots = perfectSubtrees(before);

  return inclusionProof({
    index,
    size,
    subtreeRoot(from, to) {
      const known = roots.filter((subtree) => subtree.from >= from && subtree.to <= to);
      const tree = new Frontier(
        known.reduce((leaves, subtree) => leaves + subtree.to - subtree.from, 0),
        known.map(({ root }) => root),
      );
      const first = Math.max(0, from - block.start);
      for (const leafHash of leafHashes.slice(first, Math.max(0, to - block.start))) tree.append(leafHash);
      return tree.root();
    },
  });
}

/** The maximal perfect subtrees over everything up to the end of a block, left to right. */
function perfectSubtrees(block: StoredBlock | undefined): { from: number; to: number; root: Uint8Array }[] {
  if (block === undefined) return [];
  let from = 0;
  return block.frontier.map((root) => {
    const width = 2 ** Math.floor(Math.log2(block.size - from));
    from += width;
    return { from: from - width, to: from, root };
  });
}

/** Bounds what one answer of the ledger takes of its writer's time. */
const pageSize = 5_000;

async function listLeafHashes(
  ledger: Pick<BackgroundLedger, 'listLeafHashes'>,
  { from, to }: { from: number; to: number },
): Promise<Uint8Array[]> {
  const leafHashes: Uint8Array[] = [];
  while (from + leafHashes.length < to) {
    const next = from + leafHashes.length;
    const page = await ledger.listLeafHashes({ from: next, limit: Math.min(pageSize, to - next) });
    if (page.length === 0) {
      throw new AutoPayError('internal_error', `The ledger has no log entry ${next}. Run autopay fsck.`);
    }
    leafHashes.push(...page);
  }
  return leafHashes;
}
