import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { sha256 } from '../../protocol/merkle/hashes.ts';
import { bytes32Schema } from '../../protocol/payments/value-schemas.ts';
import { createFileDurably } from '../create-file-durably.ts';
import { withLockFile } from '../with-lock-file.ts';
import { writeFileDurably } from '../write-file-durably.ts';

const fileName = 'seen-logs.json';
const lockWaitMs = 10_000;

const stateSchema = z.strictObject({
  size: z.number().int().positive(),
  root: bytes32Schema,
  seenAtMs: z.number().int(),
  evidence: z.union([z.strictObject({ transactionHash: bytes32Schema }), z.strictObject({ note: z.string() })]),
});
const seenSchema = z.strictObject({ anchor: stateSchema.optional(), checkpoint: stateSchema.optional() });
const fileSchema = z.strictObject({ version: z.literal(1), logs: z.record(z.string(), seenSchema) });

/** A state of a log, and what vouches for it: an anchor's transaction, or a signed note. */
export type RememberedState = z.output<typeof stateSchema>;
/** What this machine has seen of a log. */
export interface RememberedLog {
  anchor?: RememberedState;
  checkpoint?: RememberedState;
}

/** Two states of a log that contradict each other. */
export interface ContradictingStates {
  kind: 'fork' | 'rollback';
  origin: string;
  earlier: RememberedState;
  later: RememberedState;
  /** What the log that was verified has at the size of the earlier state; null after a rollback. */
  rootFound: Hex | null;
}

/**
 * What this machine has seen of logs, in `seen-logs.json` (0600) of a wallet's folder. A log only grows, so what was seen of it once binds
 * it for ever; whoever deletes the file forgets that.
 */
export interface LogMemory {
  /** @throws AutoPayError `invalid_configuration` if the file is not understood: nothing remembered is not the same. */
  read(origin: string): Promise<RememberedLog>;
  /**
   * Remembers states; when it resolves they are on the disk. What another process noted meanwhile stays: nobody has held these states
   * against that, and a second history must not take the place of the first.
   * @param heldAgainst what was read before, and is the beginning of these states
   */
  remember(origin: string, seen: RememberedLog, heldAgainst: RememberedLog): Promise<void>;
  /** Writes what contradicts itself to a file of its own, `evidence/log-….json`. @returns its path */
  keepEvidence(conflict: ContradictingStates): Promise<string>;
}

/** Opens the memory in `stateDir`; the folder is created (0700) with the first note. */
export function openLogMemory(stateDir: string): LogMemory {
  const file = join(stateDir, fileName);
  return {
    read: async (origin) => compact((await readLogs(file))[origin] ?? {}),
    async remember(origin, seen, heldAgainst) {
      await mkdir(stateDir, { recursive: true, mode: 0o700 });
      await withLockFile({ file: `${file}.lock`, waitMs: lockWaitMs }, async () => {
        const logs = await readLogs(file);
        const known = logs[origin] ?? {};
        const merged = compact({
          anchor: isSame(known.anchor, heldAgainst.anchor) ? larger(known.anchor, seen.anchor) : known.anchor,
          checkpoint: isSame(known.checkpoint, heldAgainst.checkpoint)
            ? larger(known.checkpoint, seen.checkpoint)
            : known.checkpoint,
        });
        const content = { version: 1, logs: { ...logs, [origin]: merged } };
        await writeFileDurably(file, `${JSON.stringify(content, undefined, 2)}\n`);
      });
    },
    async keepEvidence(conflict) {
      const folder = join(stateDir, 'evidence');
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const text = `${JSON.stringify({ kind: `log-${conflict.kind}`, ...without(conflict) }, undefined, 2)}\n`;
      const id = sha256(Buffer.from(JSON.stringify([conflict.origin, conflict.earlier.root, conflict.later.root])));
      const path = join(folder, `log-${conflict.kind}-${conflict.earlier.size}-${id.toString('hex', 0, 4)}.json`);
      // The same contradiction, found again, is the same evidence.
      await createFileDurably(path, text);
      return path;
    },
  };
}

function without({ origin, earlier, later, rootFound }: ContradictingStates) {
  return { origin, earlier, later, rootFound };
}

function isSame(one: RememberedState | undefined, other: RememberedState | undefined): boolean {
  return one?.size === other?.size && one?.root === other?.root;
}

function larger(one: RememberedState | undefined, other: RememberedState | undefined): RememberedState | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.size > one.size ? other : one;
}

function compact({ anchor, checkpoint }: z.output<typeof seenSchema>): RememberedLog {
  return { ...(anchor && { anchor }), ...(checkpoint && { checkpoint }) };
}

async function readLogs(file: string): Promise<Record<string, z.output<typeof seenSchema>>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return fileSchema.parse(JSON.parse(text)).logs;
  } catch (cause) {
    throw new AutoPayError(
      'invalid_configuration',
      `${file}, which tells what was seen of logs before, is not understood. Restore it; deleting it forgets what it knew.`,
      { cause },
    );
  }
}
