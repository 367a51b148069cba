import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';

/** What reading a chain's newest block works with. */
export interface HeadReaderOptions {
  client: Pick<ChainClient, 'getBlock'>;
  chainId: number;
  /** An endpoint whose newest block is older counts as unreachable. Not applied on the local chain. */
  maxHeadAgeSeconds: number;
  log: JobLog;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** The newest block of an endpoint. */
export interface Head {
  number: bigint;
  /**
   * Unix milliseconds: what is read at this block was true then. The older of the block's time and the time of asking; the
   * time of asking on the local chain.
   */
  asOfMs: number;
}

/** Asks an endpoint where the chain stands, and whether that is the present. */
export interface HeadReader {
  /** @throws AutoPayError `chain_unavailable`, also if the newest block is too old: the endpoint is stuck then. */
  read(): Promise<Head>;
}

/** The local chain makes a block per transaction and none between, so that its newest one may be of any age. */
const localChainId = 31_337;

/** Clock and newest block further apart are reported. */
const maxClockGapMs = 30_000;

/** Makes a reader. That it works and is asked often says nothing of an endpoint's blocks: only their times do. */
export function createHeadReader(options: HeadReaderOptions): HeadReader {
  const { client, chainId, maxHeadAgeSeconds, log, nowMs } = options;
  /** Whether the gap was reported: once for each change. */
  let isApart = false;

  function reportGap(ageMs: number): void {
    const wasApart = isApart;
    isApart = Math.abs(ageMs) > maxClockGapMs;
    if (!isApart || wasApart) return;
    const remedy = 'Check the clock of this machine, and the endpoint of chain.rpcUrl';
    log.warn({ headAgeMs: ageMs }, `the clock and the newest block are more than 30 s apart. ${remedy}`);
  }

  return {
    async read() {
      const askedAtMs = nowMs();
      const { number, timestamp } = await callChain('the newest block', () => client.getBlock());
      if (chainId === localChainId) return { number, asOfMs: askedAtMs };
      const blockMs = Number(timestamp) * 1_000;
      const ageMs = askedAtMs - blockMs;
      reportGap(ageMs);
      if (ageMs > maxHeadAgeSeconds * 1_000) {
        throw new AutoPayError(
          'chain_unavailable',
          `The newest block of the endpoint, ${number}, is ${Math.floor(ageMs / 1_000)} s old. Check that the endpoint of ` +
            'chain.rpcUrl follows the chain; if the chain is that slow, raise chain.maxHeadAgeSeconds.',
        );
      }
      return { number, asOfMs: Math.min(blockMs, askedAtMs) };
    },
  };
}
