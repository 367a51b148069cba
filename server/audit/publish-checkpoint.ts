import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { formatCheckpoint, parseCheckpoint, type LogCheckpoint } from '../../protocol/log/checkpoint.ts';
import { withCosignatures } from '../../protocol/log/cosignatures.ts';
import {
  addSignatures,
  formatSignature,
  parseNote,
  signNote,
  type NoteSigner,
} from '../../protocol/log/signed-note.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { replaceFile } from './replace-file.ts';
import { syncFolder } from './sync-folder.ts';

/** A checkpoint that everybody may see. */
export interface PublishedCheckpoint extends LogCheckpoint {
  /** Unix milliseconds. */
  signedAtMs: number;
  /** The signed note. */
  note: string;
}

/** What publishing works with. */
export interface PublisherDeps {
  ledger: Pick<BackgroundLedger, 'addCheckpoint'>;
  /** Holds the newest checkpoint too: it outlives a ledger that was put back to an older copy. */
  file: string;
  origin: string;
  /** The log's own keys, in the order of their lines. */
  signers: readonly NoteSigner[];
  nowMs: () => number;
}

/** Signs checkpoints. A checkpoint MUST be durable, in the ledger and in the file, before anyone sees it. */
export interface Publisher {
  /**
   * Signs the log at a size; cosignatures of the same size are kept.
   * @throws AutoPayError `log_rolled_back`, `log_forked`
   */
  publish(state: Pick<LogCheckpoint, 'size' | 'root'>, before?: string): Promise<PublishedCheckpoint>;
  /** Adds cosignatures, lines as `formatSignature` writes them, to a checkpoint. */
  cosign(checkpoint: PublishedCheckpoint, lines: readonly string[]): Promise<PublishedCheckpoint>;
  /** Whether a note has a line of each of the keys that sign now. */
  isSigned(note: string): boolean;
}

/** Makes a publisher; the caller runs one of its methods at a time. */
export function createPublisher({ ledger, file, origin, signers, nowMs }: PublisherDeps): Publisher {
  const isOwn = ({ name }: { name: string }) => name === origin;

  async function store(checkpoint: PublishedCheckpoint): Promise<PublishedCheckpoint> {
    const { size, root, signedAtMs, note } = checkpoint;
    await ledger.addCheckpoint({ size, root, signedAtMs, note });
    await mkdir(dirname(file), { recursive: true });
    await replaceFile(file, note);
    await syncFolder(dirname(file));
    await syncFolder(dirname(dirname(file)));
    return checkpoint;
  }

  return {
    publish({ size, root }, before) {
      const text = formatCheckpoint({ origin, size, root });
      const own = signNote(text, signers);
      // Not before the time that is in a signature.
      const signedAtMs = nowMs();
      const earlier = before === undefined ? undefined : parseNote(before);
      // Of the same text, what witnesses have signed still holds.
      const kept = earlier?.text === text ? earlier.signatures.filter((line) => !isOwn(line)).map(formatSignature) : [];
      return store({ origin, size, root, signedAtMs, note: addSignatures(own, kept) });
    },
    cosign: (checkpoint, lines) => store({ ...checkpoint, note: withCosignatures(checkpoint.note, lines) }),
    isSigned(note) {
      const lines = parseNote(note).signatures;
      return signers.every(({ name, keyHash }) => lines.some((line) => line.name === name && line.keyHash === keyHash));
    },
  };
}

/**
 * The checkpoint of the file that a publisher keeps; undefined if there is none.
 * @throws AutoPayError `verification_failed` if it is none, or of another log
 */
export async function readCheckpointFile(file: string, origin: string): Promise<LogCheckpoint | undefined> {
  const note = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (note === undefined) return undefined;
  const checkpoint = parseOrUndefined(note);
  if (checkpoint?.origin === origin) return checkpoint;
  throw new AutoPayError(
    'verification_failed',
    `${file} is not the newest checkpoint of ${origin}. If this data folder is of that log, and its ledger.sqlite was not put back, remove the file.`,
  );
}

function parseOrUndefined(note: string): LogCheckpoint | undefined {
  try {
    return parseCheckpoint(parseNote(note).text);
  } catch {
    return undefined;
  }
}
