import type { Hex } from '../../protocol/bytes/hex.ts';

/** Ids of one page. */
const pageSize = 10_000;

/** Does the work for each item, so many at once, in their order. Rejects with the first failure of a set, which is the last set. */
export async function workInTurn<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < items.length; start += atOnce) {
    await Promise.all(items.slice(start, start + atOnce).map(work));
  }
}

/** Reads all pages of ids, at most 10,000 each: what is stuck must not hide what comes behind it. */
export async function listAllIds(list: (page: { after?: Hex; limit: number }) => Promise<Hex[]>): Promise<Hex[]> {
  const all: Hex[] = [];
  while (true) {
    const after = all.at(-1);
    const page = await list({ ...(after !== undefined && { after }), limit: pageSize });
    all.push(...page);
    if (page.length < pageSize) return all;
  }
}
