import { CID } from 'multiformats/cid';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BlockStore } from '../audit/block-store.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { BlockPin, PinLedger } from '../ledger/pin-ledger.ts';
import type { IpfsNode } from './ipfs-node.ts';

/** What pinning at a node works with. */
export interface PinToNodeDeps {
  /** The node, as the ledger calls it. */
  keeper: string;
  ledger: Pick<PinLedger, 'listDuePins' | 'recordPin'>;
  blocks: Pick<BlockStore, 'get'>;
  node: IpfsNode;
  /** After this long it is looked whether a block is still there. */
  recheckMs: number;
  nowMs: () => number;
  /** From 0 to below 1; spreads what was pinned together. */
  random: () => number;
  log: JobLog;
  /** No further block is begun once it is aborted. */
  signal: AbortSignal;
}

const batchSize = 32;
/** So many failures in a row are the node's, not the blocks'. */
const maxFailures = 3;
const firstPauseMs = 5_000;
/** A node that is back is noticed within a minute. */
const maxPauseMs = 60_000;

/**
 * Pins all blocks of the log that are due, the oldest first. Each is recorded after the node has given it back, so a crash in between
 * pins it again, which changes nothing. What fails is due again later; the rest goes on, until the node fails again and again.
 *
 * @throws AutoPayError `ipfs_unavailable` or `verification_failed` if the last block that was tried failed: what is left stays due
 */
export async function pinToNode(deps: PinToNodeDeps): Promise<void> {
  const { keeper, ledger, signal } = deps;
  let failures = 0;
  let last: AutoPayError | undefined;
  while (!signal.aborted) {
    const due = await ledger.listDuePins({ keeper, nowMs: deps.nowMs(), limit: batchSize });
    if (due.length === 0) break;
    for (const pin of due) {
      if (signal.aborted) return;
      last = await pinOne(deps, pin);
      failures = last === undefined ? 0 : failures + 1;
      if (last !== undefined && failures >= maxFailures) throw last;
    }
  }
  if (last !== undefined) throw last;
}

/** Tries one block, and records what came of it; an error is the reason for its failure. */
async function pinOne(deps: PinToNodeDeps, pin: BlockPin): Promise<AutoPayError | undefined> {
  const { keeper, ledger, nowMs, random, log, signal } = deps;
  const { start, cid } = pin;
  // Of what is pinned it is not known to be lost as long as the node does not say so.
  let state = pin.state;
  try {
    const block = await readBlock(deps.blocks, pin);
    if (state === 'pinned' && !(await deps.node.holds(block))) {
      log.warn({ cid }, 'the IPFS node has lost a block of the log, or its pin; it is pinned again');
      state = 'queued';
    }
    if (state !== 'pinned') await deps.node.keep(block);
    const nextAtMs = nowMs() + Math.floor(deps.recheckMs * (1 + random() / 5));
    await ledger.recordPin({ keeper, start, state: 'pinned', attempts: 0, nextAtMs, failure: null });
    return undefined;
  } catch (error) {
    if (!(error instanceof AutoPayError)) throw error;
    // What was broken off by the end of the process is no failure.
    if (signal.aborted) return undefined;
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(pin.attempts, 10), maxPauseMs);
    const nextAtMs = nowMs() + Math.floor(pauseMs * (1 + random() / 5));
    await ledger.recordPin({ keeper, start, state, attempts: pin.attempts + 1, nextAtMs, failure: error.message });
    if (pin.attempts === 0) log.warn({ cid, reason: error.message }, 'a block of the log is not pinned yet');
    return error;
  }
}

async function readBlock(blocks: PinToNodeDeps['blocks'], { cid: text, size }: BlockPin) {
  const cid = CID.parse(text);
  const bytes = await blocks.get(cid);
  if (bytes) return { cid, bytes, name: `autopayllm-log-${size}` };
  throw new AutoPayError(
    'verification_failed',
    `Block ${text} is missing from the blocks folder. Restore it from a copy.`,
  );
}
