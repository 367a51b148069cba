import { encodeFunctionData } from 'viem';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { BackgroundLedger, StoredBlock } from '../ledger/background-ledger.ts';
import type { BlockStore } from './block-store.ts';
import { checkBlock, writeBlocks } from './write-blocks.ts';

/** What an anchoring run works with. */
export interface AnchoringDeps {
  ledger: BackgroundLedger;
  blocks: BlockStore;
  queue: TransactionQueue;
  auditLog: Hex;
  log: JobLog;
}

/** The newest anchor after a run. */
export interface AnchoringResult {
  /** Number of log entries that are anchored. */
  size: number;
  /** RFC 6962 root at `size`; null as long as the log is empty. */
  root: Hex | null;
  /** CID of the newest block; null as long as the log is empty. */
  cid: string | null;
  /** The anchor's transaction; null if this run had none to send. */
  transactionHash: Hex | null;
  nothingToDo?: true;
}

/**
 * Puts new log entries into blocks and anchors the newest root. Resumable anywhere: anchors that were sent and not recorded
 * always come first, under the purpose `anchor:<size>`, though the run of another chain may have cut blocks since; then the block
 * that was cut last.
 * @throws AutoPayError of the step that failed.
 */
export async function runAnchoring(deps: AnchoringDeps): Promise<AnchoringResult> {
  const { ledger } = deps;
  for (let sent = await ledger.findSentAnchor(); sent !== undefined; sent = await ledger.findSentAnchor()) {
    await anchorBlock(deps, sent);
  }
  const unfinished = await ledger.lastBlock();
  const resumed = unfinished === undefined ? null : await anchorBlock(deps, unfinished);
  const newest = await writeBlocks(deps);
  if (newest === undefined) return { size: 0, root: null, cid: null, transactionHash: null, nothingToDo: true };
  const transactionHash = (await anchorBlock(deps, newest)) ?? resumed;
  return {
    size: newest.size,
    root: toHex(newest.root),
    cid: newest.cid,
    transactionHash,
    ...(transactionHash === null ? { nothingToDo: true as const } : {}),
  };
}

/** Anchors the log at the end of a block; null if that was done before. */
async function anchorBlock(deps: AnchoringDeps, block: StoredBlock): Promise<Hex | null> {
  const { ledger, queue, blocks, auditLog, log } = deps;
  if (block.size <= (await ledger.anchoredSize())) return null;
  const cid = await checkBlock(blocks, block);
  const data = encodeFunctionData({
    abi: auditLogAbi,
    functionName: 'anchor',
    args: [BigInt(block.size), toHex(block.root), toHex(cid.multihash.digest)],
  });
  const receipt = await queue.send({ purpose: `anchor:${block.size}`, to: auditLog, data });
  await ledger.recordAnchor({ size: block.size, transactionHash: receipt.transactionHash });
  log.info({ size: block.size, cid: block.cid, hash: receipt.transactionHash }, 'anchored the log');
  return receipt.transactionHash;
}
