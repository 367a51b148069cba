import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { CommitmentSubject } from '../../protocol/receipt/commitments.ts';
import { isCallId } from '../../protocol/receipt/call-id.ts';
import { createFileDurably } from '../create-file-durably.ts';

const dayMs = 86_400_000;
const mebibyte = 1_048_576;
/** Calls after which the bounds are looked at again. */
const maxSavesUnchecked = 256;

/** How long bodies are kept, and how much of them. */
export const bodyBoundsSchema = z.strictObject({
  /** Days after which a body is deleted. */
  days: z.number().int().min(1).max(3_650).default(30),
  /** The most that all bodies together may have, but for a sixteenth; the oldest go first. */
  mebibytes: z.number().int().min(1).max(1_048_576).default(256),
});

/** How long bodies are kept, and how much of them. */
export type BodyBounds = z.output<typeof bodyBoundsSchema>;

/** The exact bytes that a receipt commits to; a part that was too long to be kept is absent. */
export type CallBodies = Partial<Record<CommitmentSubject, Uint8Array>>;

/**
 * Prompts and answers as they went over the wire, in files of their own (0600): without their exact bytes nobody can open what a receipt
 * commits to. They are kept only where the owner asks for it, since whoever reads the folder reads them.
 */
export interface BodyStore {
  /**
   * Keeps the bodies of a call; when it resolves they are on the disk. What was kept of a call stays as it is: a relay that gives a
   * later call the same id must not replace what opens the first.
   * @returns whether it is time to `prune`.
   */
  save(callId: string, bodies: CallBodies): Promise<boolean>;
  /** Deletes what is too old or too much. It looks at every file, which takes seconds where there are many. */
  prune(): Promise<void>;
  /** One part of a call; undefined if it was not kept, or is not any more. */
  find(callId: string, subject: CommitmentSubject): Promise<Buffer | undefined>;
}

interface KeptFile {
  path: string;
  bytes: number;
  savedAtMs: number;
}

/** Opens the bodies in `bodies/` of a wallet's folder, which is created (0700) with the first. @param nowMs the clock by default */
export function openBodyStore(stateDir: string, bounds: BodyBounds, nowMs: () => number = Date.now): BodyStore {
  const folder = join(stateDir, 'bodies');
  const unchecked = { bytes: Infinity, saves: 0 };
  const pathOf = (callId: string, subject: CommitmentSubject) => join(folder, `${callId}.${subject}`);
  return {
    async save(callId, bodies) {
      if (!isCallId(callId)) return false;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const subject of ['request', 'response'] as const) {
        const bytes = bodies[subject];
        if (!bytes) continue;
        // A relay that gives an id twice does not make the first call's bytes go away.
        if (await createFileDurably(pathOf(callId, subject), bytes)) unchecked.bytes += bytes.length;
      }
      unchecked.saves += 1;
      return unchecked.bytes * 16 >= bounds.mebibytes * mebibyte || unchecked.saves >= maxSavesUnchecked;
    },
    async prune() {
      Object.assign(unchecked, { bytes: 0, saves: 0 });
      await prune(await listFiles(folder), bounds, nowMs());
    },
    async find(callId, subject) {
      if (!isCallId(callId)) return undefined;
      return readFile(pathOf(callId, subject)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
    },
  };
}

async function listFiles(folder: string): Promise<KeptFile[]> {
  const files: KeptFile[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Another process may have deleted it.
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isFile()) files.push({ path, bytes: facts.size, savedAtMs: facts.mtimeMs });
  }
  return files;
}

/** Deletes what is older than the bounds, then the oldest until the rest is within them. */
async function prune(files: readonly KeptFile[], { days, mebibytes }: BodyBounds, nowMs: number): Promise<void> {
  let bytes = 0;
  for (const file of files.toSorted((one, other) => other.savedAtMs - one.savedAtMs)) {
    bytes += file.bytes;
    const isTooOld = nowMs - file.savedAtMs > days * dayMs;
    if (isTooOld || bytes > mebibytes * mebibyte) await rm(file.path, { force: true });
  }
}
