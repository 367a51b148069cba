/**
 * Looks through blocks for something, the newest first, in ranges that an endpoint takes in one log query.
 * @param blocks.newest, blocks.oldest the first and the last that are looked at
 * @param look finds it in a range, both ends included
 * @returns undefined if it is in none of them
 */
export async function searchBack<T>(
  { newest, oldest, maxBlocksPerQuery }: { newest: number; oldest: number; maxBlocksPerQuery: number },
  look: (range: { fromBlock: bigint; toBlock: bigint }) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (let to = newest; to >= oldest; to -= maxBlocksPerQuery) {
    const from = Math.max(oldest, to - maxBlocksPerQuery + 1);
    const found = await look({ fromBlock: BigInt(from), toBlock: BigInt(to) });
    if (found !== undefined) return found;
  }
  return undefined;
}
