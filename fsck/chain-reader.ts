import { createPublicClient, http, type PublicClient } from 'viem';
import { auditLogAbi } from '../protocol/abi/audit-log.ts';
import type { Hex } from '../protocol/bytes/hex.ts';

/** An anchor as the chain has it. */
export interface ChainAnchor {
  size: bigint;
  previousSize: bigint;
  /** Unix seconds. */
  anchoredAt: bigint;
  root: Hex;
  /** SHA-256 digest of the newest block; the CID is 0x01711220 ‖ digest. */
  cid: Hex;
  transactionHash: Hex;
}

/** A connection to the chain that the books are checked against. */
export function connect(rpcUrl: string): PublicClient {
  return createPublicClient({ transport: http(rpcUrl, { timeout: 15_000, batch: { batchSize: 50 } }), cacheTime: 0 });
}

/** The most blocks that endpoints take in one log query. */
const maxBlocksPerQuery = 10_000n;

/** Cuts [deployedAtBlock, newest] into ranges that endpoints take, newest first. */
export async function blockRanges(
  client: PublicClient,
  deployedAtBlock: bigint,
): Promise<{ fromBlock: bigint; toBlock: bigint }[]> {
  const newest = await client.getBlockNumber();
  const ranges: { fromBlock: bigint; toBlock: bigint }[] = [];
  for (let toBlock = newest; toBlock >= deployedAtBlock; toBlock -= maxBlocksPerQuery) {
    const start = toBlock - maxBlocksPerQuery + 1n;
    ranges.push({ fromBlock: start > deployedAtBlock ? start : deployedAtBlock, toBlock });
  }
  return ranges;
}

/** Where anchors are looked for. */
export interface AnchorSource {
  client: PublicClient;
  auditLog: Hex;
  deployedAtBlock: bigint;
}

async function anchorsIn(
  source: AnchorSource,
  range: { fromBlock: bigint; toBlock: bigint },
  size?: bigint,
): Promise<ChainAnchor[]> {
  const events = await source.client.getContractEvents({
    address: source.auditLog,
    abi: auditLogAbi,
    eventName: 'Anchored',
    ...(size === undefined ? {} : { args: { size } }),
    ...range,
    strict: true,
  });
  return events.map((event) => ({ ...event.args, transactionHash: event.transactionHash }));
}

/** The newest anchor; undefined before the first. */
export async function readNewestAnchor(source: AnchorSource): Promise<ChainAnchor | undefined> {
  const { client, auditLog, deployedAtBlock } = source;
  const size = await client.readContract({ address: auditLog, abi: auditLogAbi, functionName: 'latestSize' });
  if (size === 0n) return undefined;
  for (const range of await blockRanges(client, deployedAtBlock)) {
    const [anchor] = await anchorsIn(source, range, size);
    if (anchor !== undefined) return anchor;
  }
  throw new Error(`the chain has an anchor of size ${size} but no event of it since block ${deployedAtBlock}`);
}

/** Every anchor, oldest first. */
export async function readAnchors(source: AnchorSource): Promise<ChainAnchor[]> {
  const anchors: ChainAnchor[] = [];
  for (const range of await blockRanges(source.client, source.deployedAtBlock)) {
    anchors.unshift(...(await anchorsIn(source, range)));
  }
  return anchors;
}

/** The anchor as the contract's views take it. */
export function toAnchorStruct({ size, previousSize, anchoredAt, root, cid }: ChainAnchor) {
  return { size, previousSize, anchoredAt, root, cid };
}
