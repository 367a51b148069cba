import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { originOf, parseCheckpoint } from '../protocol/log/checkpoint.ts';
import { recoverSignedCheckpoint, type SignedCheckpoint } from '../protocol/log/relay-signature.ts';
import { parseNote } from '../protocol/log/signed-note.ts';
import type { Tile } from '../protocol/log/tile-path.ts';
import { createTileTree } from '../protocol/log/tile-tree.ts';
import { verifyConsistency as followConsistency } from '../protocol/merkle/consistency.ts';
import type { AuditChain } from './audit-chain.ts';
import { Refuted, type ClaimList } from './verification.ts';
import type { LogState, RootAt } from './verify-consistency.ts';

/** What the clocks of a relay and of a chain may differ by, with what a block is older than what it holds. */
const clockSlackMs = 60_000;

/** A relay's log as it serves it (C2SP tlog-tiles). It need not be trusted. */
export interface LogSource {
  /** Where it is, for messages. */
  name: string;
  /** The checkpoint, a signed note. */
  readCheckpoint(): Promise<string>;
  readTile(tile: Tile): Promise<Uint8Array>;
}

/** What the relay signs of its log now. */
export interface CheckpointFound {
  state: LogState;
  /** Unix milliseconds, by the relay's word. */
  signedAtMs: number;
  /** The root that the checkpoint's log has at a smaller size, proven by its tiles. */
  rootAt: RootAt;
  /** Whether it is the anchored log; undefined if that could not be told. */
  agreement?: { signedRoot: Hex; anchoredRoot: Hex; isRolledBack: boolean };
}

/**
 * Verifies what the relay signs of its log: that a receipt key of its time signed it, and that it is the log that is anchored.
 * @param options.anchor read before the checkpoint
 * @param options.rootAt of the anchored log
 * @returns undefined if there is no checkpoint to go by
 */
export async function verifyCheckpoint(
  claims: ClaimList,
  options: {
    chain: AuditChain;
    source: LogSource;
    anchor: LogState;
    /** Unix milliseconds, by the clock of the chain. */
    anchoredAtMs: number;
    rootAt: RootAt;
    nowMs: number;
  },
): Promise<CheckpointFound | undefined> {
  const { chain, source, anchor, nowMs } = options;
  let found: CheckpointFound | undefined;
  await claims.run('checkpoint_signed', async () => {
    const note = await source.readCheckpoint();
    const signed = await requireSigned(note, chain);
    if (signed === undefined) {
      const { origin } = parseCheckpoint(parseNote(note).text);
      claims.leave(
        'checkpoint_signed',
        `${source.name} serves the log ${origin}, whose home is another chain; verify there`,
      );
      return;
    }
    const { size, signer, signedAtMs, root } = signed;
    claims.add(
      'checkpoint_signed',
      true,
      `${source.name} has ${size} entries by a checkpoint that ${signer}, a receipt key of KeyRegistry, signed at ${signedAtMs} ms`,
    );
    const state = { size, root: toHex(root), seenAtMs: nowMs, evidence: { note } };
    found = { state, signedAtMs, rootAt: tileRoots(source, signed) };
  });
  const checkpoint = found;
  if (checkpoint === undefined) return undefined;
  await claims.run('checkpoint_agrees', () => requireAgreement(claims, { ...options, anchor, checkpoint }));
  return checkpoint;
}

async function requireSigned(note: string, chain: AuditChain): Promise<SignedCheckpoint | undefined> {
  const { chainId, contracts } = chain.deployment;
  const { autoPayLLM, keyRegistry } = contracts;
  const { origin } = parseCheckpoint(parseNote(note).text);
  if (origin !== originOf({ chainId, autoPayLLM })) return undefined;
  const signed = recoverSignedCheckpoint(note, { chainId, verifyingContract: autoPayLLM });
  const { signer, signedAtMs } = signed;
  if (await chain.isReceiptKey(signer, signedAtMs)) return signed;
  throw new Refuted(
    `the checkpoint is signed by ${signer}, which was no receipt key of KeyRegistry ${keyRegistry} at ${signedAtMs} ms`,
  );
}

/** The checkpoint begins with the anchored entries; or, where it is shorter, the anchored log begins with it. */
async function requireAgreement(
  claims: ClaimList,
  options: { anchor: LogState; anchoredAtMs: number; rootAt: RootAt; checkpoint: CheckpointFound },
): Promise<void> {
  const { anchor, anchoredAtMs, rootAt, checkpoint } = options;
  const { state, signedAtMs } = checkpoint;
  const size = Math.min(state.size, anchor.size);
  // One that was signed before the anchor may come out of a cache, and anchors may run ahead of checkpoints for a moment.
  const isLate = state.size < anchor.size && signedAtMs > anchoredAtMs + clockSlackMs;
  if (size === 0 && !isLate) {
    return claims.leave(
      'checkpoint_agrees',
      `the relay signed an empty log, before ${anchor.size} entries were anchored`,
    );
  }
  const [signedRoot, anchoredRoot] =
    state.size < anchor.size
      ? [state.root, size === 0 ? state.root : toHex(await rootAt(size))]
      : [toHex(await checkpoint.rootAt(size)), anchor.root];
  const isRolledBack = signedRoot === anchoredRoot && isLate;
  checkpoint.agreement = { signedRoot, anchoredRoot, isRolledBack };
  if (isRolledBack) {
    throw new Refuted(`rollback: the relay signs ${state.size} entries, after ${anchor.size} of them were anchored`);
  }
  claims.demand('checkpoint_agrees', signedRoot === anchoredRoot, {
    detail: `the log that the relay serves and the anchored one have the same first ${size} entries`,
    otherwise: `fork: of the first ${size} entries, the log that the relay serves has the root ${signedRoot}, and the anchored one ${anchoredRoot}`,
  });
}

/** Roots of a log at smaller sizes; each is proven to lead to the signed root, or thrown out. */
function tileRoots(source: LogSource, { size, root }: SignedCheckpoint): RootAt {
  const tree = createTileTree({ size, readTile: (tile) => source.readTile(tile) });
  return async (olderSize) => {
    if (olderSize === size) return root;
    const olderRoot = await tree.subtreeRoot(0, olderSize);
    const proof = await tree.consistencyProof(olderSize);
    if (followConsistency({ olderRoot, olderSize, newerRoot: root, newerSize: size, proof })) return olderRoot;
    throw new Refuted(`the tiles of ${source.name} do not lead to the root that the relay signed for ${size} entries`);
  };
}
