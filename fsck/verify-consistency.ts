import { toHex, type Hex } from '../protocol/bytes/hex.ts';

/** A state of a log that was seen: so many entries, with this root. */
export interface LogState {
  size: number;
  /** RFC 6962 root. */
  root: Hex;
  /** Unix milliseconds, by the clock of this machine. */
  seenAtMs: number;
  /** What vouches for it: the anchor's transaction, or the checkpoint as the relay signed it, a C2SP signed note. */
  evidence: { transactionHash: Hex } | { note: string };
}

/** What this machine has seen of a log: the newest of its anchors, and of its signed checkpoints. */
export interface SeenLog {
  anchor?: LogState;
  checkpoint?: LogState;
}

/** Two states that no append-only log can have had one after the other. */
export interface LogConflict {
  /** `fork`: two logs under one name. `rollback`: a log that has become shorter. */
  kind: 'fork' | 'rollback';
  /** Which log it is; see `originOf`. */
  origin: string;
  earlier: LogState;
  later: LogState;
  /** What the log that was verified has at the size of the earlier state; null after a rollback. */
  rootFound: Hex | null;
}

/** Gives the root that the anchored log has at a size, by its blocks. */
export type RootAt = (size: number) => Promise<Uint8Array>;

/** What came of holding a log against what was seen of it. */
export interface ConsistencyFound {
  ok: boolean | null;
  detail: string;
  conflict?: LogConflict;
}

/**
 * Holds the anchored log, and the relay's checkpoint where there is one, against what this machine has seen of the same log before.
 * @throws what `rootAt` and `checkpoint.rootAt` throw
 */
export async function verifyConsistency(options: {
  origin: string;
  seen: SeenLog;
  /** The newest anchor. */
  anchor: LogState;
  rootAt: RootAt;
  /** What the relay signs now, and the root that its tiles give at a smaller size. */
  checkpoint?: {
    state: LogState;
    rootAt: RootAt;
    /** Signed before the one that was seen last, such as one out of a cache: then it may be the shorter one. */
    isOld?: boolean;
  };
}): Promise<ConsistencyFound> {
  const { origin, seen, anchor, rootAt, checkpoint } = options;
  const held: string[] = [];
  let isOpen = false;
  for (const [name, earlier] of [
    ['anchor', seen.anchor],
    ['checkpoint', seen.checkpoint],
  ] as const) {
    if (earlier === undefined) continue;
    const what = `the ${name} of ${earlier.size} entries that this machine saw at ${new Date(earlier.seenAtMs).toISOString()}`;
    if (name === 'anchor' && anchor.size < earlier.size) return behind(anchor, what);
    // What is shorter than an earlier one of its kind was rolled back. A checkpoint runs ahead of the anchors.
    const signed = checkpoint?.isOld === true ? undefined : checkpoint?.state;
    const newest = name === 'anchor' ? anchor : signed;
    if (newest && newest.size < earlier.size) return rolledBack({ origin, earlier, later: newest, what });
    const later = earlier.size <= anchor.size ? anchor : newest;
    if (later === undefined) {
      isOpen = true;
      continue;
    }
    const root = toHex(await (later === anchor ? rootAt : (checkpoint?.rootAt ?? rootAt))(earlier.size));
    if (root !== earlier.root) return forked({ origin, earlier, later, root, what });
    held.push(what);
  }
  if (held.length > 0) {
    const rest = isOpen ? '; the checkpoint that it saw last is ahead of all that is at hand, and is left open' : '';
    return { ok: true, detail: `the log of ${anchor.size} entries begins with ${held.join(', and with ')}${rest}` };
  }
  const why = isOpen
    ? 'the checkpoint that this machine saw last is ahead of the newest anchor, and no checkpoint that was signed later is at hand (--relay)'
    : 'this machine has seen no state of this log before; it remembers this one';
  return { ok: null, detail: `not checked: ${why}` };
}

interface Conflicting {
  origin: string;
  earlier: LogState;
  later: LogState;
  what: string;
}

/** AuditLog takes larger anchors only, so no relay can take one back: the endpoint is behind, or the chain was reorganised. */
function behind(anchor: LogState, what: string): ConsistencyFound {
  const detail = `the newest anchor that the endpoint shows is of ${anchor.size} entries, fewer than ${what}: the endpoint is behind, or its chain was reorganised; ask another`;
  return { ok: false, detail };
}

function rolledBack({ origin, earlier, later, what }: Conflicting): ConsistencyFound {
  return {
    ok: false,
    detail: `rollback: the newest checkpoint is of ${later.size} entries, fewer than ${what}`,
    conflict: { kind: 'rollback', origin, earlier, later, rootFound: null },
  };
}

function forked({ origin, earlier, later, root, what }: Conflicting & { root: Hex }): ConsistencyFound {
  return {
    ok: false,
    detail: `fork: the first ${earlier.size} entries of the log have the root ${root}, and ${what} has ${earlier.root}`,
    conflict: { kind: 'fork', origin, earlier, later, rootFound: root },
  };
}
