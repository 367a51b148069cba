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
  /** How much of the log may be anchored: what is signed, and enough witnesses have cosigned. All of it by default. */
  anchorableSize?: (() => Promise<number>) | undefined;
  /** Refuses a block that has to be kept elsewhere first, and is not yet; nothing has to be by default. */
  requirePinned?: ((block: StoredBlock) => Promise<void>) | undefined;
}

/** The newest anchor after a run. */
export interface AnchoringResult {
  /** Number of log entries that are anchored. */
  size: number;
  /** RFC 6962 root at `size`; null as long as the log is empty, or its newest block waits for witnesses. */
  root: Hex | null;
  /** CID of the newest block; null as `root` is. */
  cid: string | null;
  /** The anchor's transaction; null if this run had none to send. */
  transactionHash: Hex | null;
  nothingToDo?: true;
  /** Entries that wait because too few witnesses have cosigned them; absent if none does. */
  waitingForWitnesses?: number;
}

/**
 * Puts new log entries into blocks and anchors the newest root. Resumable anywhere: anchors that were sent and not recorded
 * always come first, under the purpose `anchor:<size>`, though the run of another chain may have cut blocks since. Where witnesses
 * have to cosign first, blocks end where their cosignatures do; what lies beyond waits for the next run.
 * @throws AutoPayError of the step that failed.
 */
export async function runAnchoring(deps: AnchoringDeps): Promise<AnchoringResult> {
  const { ledger, anchorableSize = async () => Infinity } = deps;
  for (let sent = await ledger.findSentAnchor(); sent !== undefined; sent = await ledger.findSentAnchor()) {
    await anchorBlock(deps, sent);
  }
  // What comes while the witnesses are asked does not wait for them.
  const size = await ledger.logSize();
  let upTo = await anchorableSize();
  const newest = await writeBlocks({ ...deps, upTo });
  // Blocks beyond it are of the run of another chain, or from before cosignatures were required.
  if (newest !== undefined && newest.size > upTo) upTo = await anchorableSize();
  const isAllowed = newest !== undefined && newest.size <= upTo;
  const waiting = Math.max(0, size - upTo);
  const rest = waiting > 0 ? { waitingForWitnesses: waiting } : {};
  if (isAllowed && newest.size > (await ledger.anchoredSize())) await deps.requirePinned?.(newest);
  const transactionHash = isAllowed ? await anchorBlock(deps, newest) : null;
  return {
    size: isAllowed ? newest.size : await ledger.anchoredSize(),
    root: isAllowed ? toHex(newest.root) : null,
    cid: isAllowed ? newest.cid : null,
    transactionHash,
    ...(transactionHash === null ? { nothingToDo: true as const } : {}),
    ...rest,
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
