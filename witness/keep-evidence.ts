import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Two checkpoints of one log that contradict each other. Its signatures are on both: the file needs no trust in who wrote it. */
export interface ForkEvidence {
  /**
   * `fork`: one size, two roots. `rollback`: a smaller log, signed later than a larger one. `rewritten`: a larger log that begins with
   * other entries.
   */
  kind: 'fork' | 'rollback' | 'rewritten';
  origin: string;
  /** What checks the log's signatures. */
  verifierKey: string;
  /** The signed note that was cosigned. */
  seen: string;
  /** The signed note that was refused. */
  offered: string;
  /** What the two say together. */
  statement: string;
  /** Of `rewritten`: the RFC 6962 consistency proof to `offered`, from the root that its first entries have. Base64. */
  proof?: { olderRoot: string; hashes: readonly string[] };
}

/** A folder of evidence. */
export interface EvidenceFolder {
  /**
   * Writes evidence, unless it is there already or the folder is full.
   * @returns the file, which MUST survive a loss of power; undefined if nothing was written
   */
  keep(evidence: ForkEvidence): string | undefined;
}

/** One file is enough to convict a log; a log that makes many must not fill the disk. */
const maxFiles = 200;

/** Evidence as JSON files in a folder, which is made when it is needed. */
export function createEvidenceFolder(folder: string): EvidenceFolder {
  return {
    keep(evidence) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const digest = createHash('sha256').update(textOf(evidence.seen)).update(textOf(evidence.offered)).digest('hex');
      const name = `${evidence.kind}-${digest.slice(0, 32)}.json`;
      const file = join(folder, name);
      const names = readdirSync(folder);
      if (names.includes(name) ? isWhole(file) : names.length >= maxFiles) return undefined;
      writeSynced(file, `${JSON.stringify({ version: 1, ...evidence }, undefined, 2)}\n`);
      syncFolder(folder);
      return file;
    },
  };
}

/** Without signatures: a checkpoint that was signed once more is no further evidence. */
function textOf(note: string): string {
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
}

/** A crash may have left a part of it. */
function isWhole(file: string): boolean {
  try {
    JSON.parse(readFileSync(file, 'utf8'));
    return true;
  } catch {
    return false;
  }
}

function writeSynced(file: string, text: string): void {
  const descriptor = openSync(file, 'w', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
