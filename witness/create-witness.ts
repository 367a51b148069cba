import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { hashOrigin, type AddCheckpointRequest } from '../protocol/log/add-checkpoint.ts';
import { parseCheckpoint, type LogCheckpoint } from '../protocol/log/checkpoint.ts';
import {
  createNoteVerifier,
  formatSignature,
  openNote,
  parseNote,
  type NoteSigner,
  type NoteVerifier,
} from '../protocol/log/signed-note.ts';
import { verifyConsistency } from '../protocol/merkle/consistency.ts';
import { emptyRoot } from '../protocol/merkle/hashes.ts';
import { findContradiction } from './find-contradiction.ts';
import type { EvidenceFolder, ForkEvidence } from './keep-evidence.ts';
import type { CosignedCheckpoint, WitnessState } from './witness-state.ts';

/** A log whose checkpoints are cosigned. */
export interface WitnessedLog {
  origin: string;
  /** What checks its signatures, of type Ed25519. */
  verifierKey: string;
  /**
   * Asks the chain whether a receipt key of the relay signed the checkpoint too, and answers what checks the key's signatures.
   * @throws AutoPayError `invalid_signature` if none did; `chain_unavailable`
   */
  findReceiptKey?: (note: string) => Promise<NoteVerifier>;
}

/** Tells what happens; a pino log fits. */
export interface WitnessLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** What a witness answers, by the status that C2SP tlog-witness gives it over HTTP. */
export type AddCheckpointAnswer =
  /** Cosigned; signature lines, each with its newline. */
  | { status: 200; lines: string }
  /** Of another size was cosigned last: this one. If it is the size that was asked from, it has another root. */
  | { status: 409; size: number }
  /** 403: not signed by the log. 404: the log is not known. 422: the proof does not lead there from what was cosigned. */
  | { status: 400 | 403 | 404 | 422; reason: string };

/** What a witness works with. */
export interface WitnessParts {
  cosigner: NoteSigner;
  logs: readonly WitnessedLog[];
  state: WitnessState;
  evidence: EvidenceFolder;
  log: WitnessLogger;
}

/** Cosigns what logs sign, as long as each checkpoint begins with the one before. */
export interface Witness {
  /**
   * Judges a checkpoint. A cosignature MUST NOT leave before what it says is durable; concurrent requests of one log are judged one
   * after the other.
   * @throws AutoPayError `chain_unavailable`; errors of the disk as they are. Nothing was cosigned then.
   */
  addCheckpoint(request: AddCheckpointRequest): Promise<AddCheckpointAnswer>;
  /** The newest checkpoint of a log that was cosigned, as a signed note. @param originHash SHA-256 of the origin, hexadecimal */
  checkpointOf(originHash: string): string | undefined;
  /** What was cosigned last of a log. */
  latest(origin: string): CosignedCheckpoint | undefined;
  /** Keeps evidence against a log, and tells of it. */
  accuse(evidence: ForkEvidence): void;
}

/** @throws AutoPayError `invalid_configuration` if two logs have one origin, or `invalid_encoding` if a key is none */
export function createWitness(parts: WitnessParts): Witness {
  const { logs, state, evidence, log } = parts;
  const byOrigin = new Map(
    logs.map((known) => [known.origin, { ...known, verifier: createNoteVerifier(known.verifierKey) }]),
  );
  if (byOrigin.size < logs.length) {
    throw new AutoPayError('invalid_configuration', 'Two logs have one origin. Name each log once.');
  }
  const byHash = new Map(logs.map(({ origin }) => [hashOrigin(origin), origin]));

  function accuse(found: ForkEvidence): void {
    const file = evidence.keep(found);
    const { kind, origin, statement } = found;
    if (file !== undefined) log.error({ kind, origin, file }, `the log contradicts itself: ${statement}`);
  }

  return {
    async addCheckpoint(request) {
      const checkpoint = readCheckpoint(request.note);
      if (checkpoint === undefined) return { status: 400, reason: 'The body ends with no checkpoint.' };
      const known = byOrigin.get(checkpoint.origin);
      if (known === undefined) return { status: 404, reason: 'This witness does not know the log.' };
      try {
        // First what costs nothing: the chain is asked of checkpoints of the log only.
        openNote(request.note, [known.verifier]);
        const receiptKey = await known.findReceiptKey?.(request.note);
        const note = keepLines(request.note, receiptKey ? [known.verifier, receiptKey] : [known.verifier]);
        const { verifierKey } = known;
        const contradiction = findContradiction({ state, verifierKey, checkpoint, offered: note });
        if (contradiction) accuse(contradiction);
        return judge(parts, { ...request, note }, checkpoint);
      } catch (error) {
        if (!(error instanceof AutoPayError) || error.code !== 'invalid_signature') throw error;
        return { status: 403, reason: error.message };
      }
    },
    checkpointOf(originHash) {
      const origin = byHash.get(originHash);
      return origin === undefined ? undefined : state.latest(origin)?.note;
    },
    latest: (origin) => state.latest(origin),
    accuse,
  };
}

/** Undefined if it is none. */
function readCheckpoint(note: string): LogCheckpoint | undefined {
  try {
    return parseCheckpoint(parseNote(note).text);
  } catch {
    return undefined;
  }
}

/** The note with the lines of these keys and no others: of a stranger's lines, nothing is kept, and nothing follows from them. */
function keepLines(note: string, verifiers: readonly NoteVerifier[]): string {
  const { text, signatures } = parseNote(note);
  openNote(note, verifiers);
  const lines = verifiers.map(({ name, keyHash }) =>
    // Only the first line of a key was checked.
    signatures.find((line) => line.name === name && line.keyHash === keyHash),
  );
  return `${text}\n${lines.map((line) => (line ? formatSignature(line) : '')).join('')}`;
}

/** Of a checkpoint that the log has signed. Synchronous: between reading the state and changing it nothing else runs. */
function judge(
  { cosigner, state, log }: WitnessParts,
  { oldSize, proof, note }: AddCheckpointRequest,
  { origin, size, root }: LogCheckpoint,
): AddCheckpointAnswer {
  if (oldSize > size) return { status: 400, reason: 'The old size is above that of the checkpoint.' };
  const seen = state.latest(origin);
  if (oldSize !== (seen?.size ?? 0)) return { status: 409, size: seen?.size ?? 0 };
  const isConsistent =
    seen === undefined || oldSize === 0
      ? proof.length === 0 && (size > 0 || Buffer.compare(root, emptyRoot) === 0)
      : verifyConsistency({ olderRoot: seen.root, olderSize: oldSize, newerRoot: root, newerSize: size, proof });
  if (!isConsistent) {
    log.warn(
      { origin, oldSize, size },
      'refused a checkpoint that is not shown to begin with the one that was cosigned',
    );
    // Where no proof is due, it is a conflict of roots.
    if (oldSize === size && size > 0 && proof.length === 0) return { status: 409, size };
    return { status: 422, reason: `The proof does not lead from the cosigned ${oldSize} entries to these ${size}.` };
  }
  const lines = formatSignature({ ...cosigner, signature: cosigner.sign(parseNote(note).text) });
  const checkpoint = { size, root, note: `${note}${lines}` };
  if (!state.advance(origin, { oldSize, checkpoint })) return { status: 409, size: state.latest(origin)?.size ?? 0 };
  log.info({ origin, oldSize, size }, 'cosigned a checkpoint');
  return { status: 200, lines };
}
