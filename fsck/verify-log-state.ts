import { recoverSignedCheckpoint } from '../protocol/log/relay-signature.ts';
import type { AuditChain } from './audit-chain.ts';
import type { ChainAnchor } from './chain-reader.ts';
import type { ClaimList } from './verification.ts';
import { verifyCheckpoint, type CheckpointFound, type LogSource } from './verify-checkpoint.ts';
import {
  verifyConsistency,
  type ConsistencyFound,
  type LogConflict,
  type LogState,
  type SeenLog,
} from './verify-consistency.ts';
import type { LogWalk } from './walk-log.ts';

/** What this machine remembers of a log. */
export interface LogMemory {
  /** What it has seen of the log before; without it, consistency is not checked. */
  seen?: SeenLog;
  /** Unix milliseconds; the clock by default. */
  nowMs?: number;
}

/** What is to be remembered, or shown to others. */
export interface LogVerdict {
  /** States of the log that hold, for the memory; absent where one of them contradicts it. */
  remember?: SeenLog;
  /** Two states that contradict each other. */
  conflict?: LogConflict;
}

/**
 * Verifies the state of the log as a whole: what the relay signs of it now, and what this machine has seen of it before.
 * @param options.walk of the anchored log, which is walked further back where that is needed
 */
export async function verifyLogState(
  claims: ClaimList,
  options: LogMemory & {
    chain: AuditChain;
    origin: string;
    anchor: ChainAnchor;
    walk: LogWalk;
    logSource?: LogSource;
  },
): Promise<LogVerdict> {
  const { chain, origin, walk, logSource, seen = {}, nowMs = Date.now() } = options;
  const anchor = stateOf(options.anchor, nowMs);
  const anchoredAtMs = Number(options.anchor.anchoredAt) * 1_000;
  const rootAt = (size: number) => walk.rootAt(size);
  const checkpoint =
    logSource && (await verifyCheckpoint(claims, { chain, source: logSource, anchor, anchoredAtMs, rootAt, nowMs }));
  if (logSource === undefined) claims.leave('checkpoint_signed', 'no relay was asked (--relay)');
  const isOld = checkpoint !== undefined && checkpoint.signedAtMs < signingTimeOf(seen.checkpoint, chain);
  const found = await holdAgainstMemory(claims, { origin, seen, anchor, rootAt, checkpoint, isOld });
  const { agreement } = checkpoint ?? {};
  const agrees = agreement !== undefined && agreement.signedRoot === agreement.anchoredRoot && !agreement.isRolledBack;
  if (found?.conflict) return { conflict: found.conflict };
  if (checkpoint && agreement?.isRolledBack) {
    return { conflict: { kind: 'rollback', origin, earlier: anchor, later: checkpoint.state, rootFound: null } };
  }
  if (checkpoint && agreement && !agrees) {
    const states = checkpoint.state.size < anchor.size ? [checkpoint.state, anchor] : [anchor, checkpoint.state];
    const [earlier = anchor, later = anchor] = states;
    const rootFound = earlier === anchor ? agreement.signedRoot : agreement.anchoredRoot;
    return { conflict: { kind: 'fork', origin, earlier, later, rootFound } };
  }
  if (found === undefined) return {};
  // What could not be held against a state keeps that state: it is not overwritten by a shorter one.
  const remembered = checkpoint && agrees ? larger(seen.checkpoint, checkpoint.state) : seen.checkpoint;
  return { remember: { anchor: larger(seen.anchor, anchor), ...(remembered && { checkpoint: remembered }) } };
}

/** What it found; undefined if it could not be checked. */
async function holdAgainstMemory(
  claims: ClaimList,
  options: Omit<Parameters<typeof verifyConsistency>[0], 'checkpoint'> & {
    checkpoint: CheckpointFound | undefined;
    isOld: boolean;
  },
): Promise<ConsistencyFound | undefined> {
  const { checkpoint, isOld, ...rest } = options;
  let found: ConsistencyFound | undefined;
  await claims.run('consistent', async () => {
    const result = await verifyConsistency({ ...rest, ...(checkpoint && { checkpoint: { ...checkpoint, isOld } }) });
    claims.add('consistent', result.ok, result.detail);
    found = result;
  });
  return found;
}

/** When a checkpoint was signed that was seen before, unix milliseconds; 0 where that is not known. */
function signingTimeOf(seen: LogState | undefined, { deployment }: AuditChain): number {
  if (seen === undefined || !('note' in seen.evidence)) return 0;
  const { chainId, contracts } = deployment;
  try {
    return recoverSignedCheckpoint(seen.evidence.note, { chainId, verifyingContract: contracts.autoPayLLM }).signedAtMs;
  } catch {
    return 0;
  }
}

function larger(seen: LogState | undefined, now: LogState): LogState {
  return seen && seen.size > now.size ? seen : now;
}

/** An anchor as a state of the log. */
function stateOf({ size, root, transactionHash }: ChainAnchor, seenAtMs: number): LogState {
  return { size: Number(size), root, seenAtMs, evidence: { transactionHash } };
}
