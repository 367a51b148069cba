import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

/** How the base fee of a chain is, next to what it has been. Wei per gas. */
export interface FeeView {
  baseFee: bigint;
  /** Its exponential moving average. */
  average: bigint;
}

/** Watches the base fee of a chain. */
export interface FeeAverage {
  /**
   * Looks at the newest block, and takes it into the average.
   * @throws AutoPayError `chain_unavailable`
   */
  look(): Promise<FeeView>;
}

/** What is so old counts a third of what is new. */
const defaultWindowMs = 3_600_000;
/** The average begins with that of so many blocks: a process that has just started, or not looked for long, has seen nothing itself. */
const firstBlocks = 100;

/** Makes a watch of the base fee. It remembers the average only, so that it need not look at every block. */
export function createFeeAverage(options: {
  client: Pick<ChainClient, 'getBlock' | 'getFeeHistory'>;
  nowMs: () => number;
  windowMs?: number;
}): FeeAverage {
  const { client, nowMs, windowMs = defaultWindowMs } = options;
  let known: { average: bigint; atMs: number } | undefined;
  return {
    async look() {
      const baseFee = await callChain('the base fee', async () => (await client.getBlock()).baseFeePerGas ?? 0n);
      const atMs = nowMs();
      if (known === undefined || atMs - known.atMs >= windowMs) known = { average: await readHistory(client), atMs };
      const elapsedMs = BigInt(Math.max(atMs - known.atMs, 0));
      const average = known.average + ((baseFee - known.average) * elapsedMs) / BigInt(windowMs);
      known = { average, atMs };
      return { baseFee, average };
    },
  };
}

async function readHistory(client: Pick<ChainClient, 'getFeeHistory'>): Promise<bigint> {
  const { baseFeePerGas } = await callChain('the base fees of the last blocks', () =>
    client.getFeeHistory({ blockCount: firstBlocks, rewardPercentiles: [] }),
  );
  const sum = baseFeePerGas.reduce((total, fee) => total + fee, 0n);
  return baseFeePerGas.length === 0 ? 0n : sum / BigInt(baseFeePerGas.length);
}
