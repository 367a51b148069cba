import { ed25519KeyOf } from '../bytes/ed25519.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import {
  cosignedMessage,
  formatVerifierKey,
  keyHashOf,
  noteTypes,
  type NoteVerifier,
  type SignatureFacts,
} from './note-keys.ts';

export { createNoteVerifier, noteTypes, parseVerifierKey, type NoteVerifier } from './note-keys.ts';

/** What signs notes. */
export interface NoteSigner {
  name: string;
  /** See VerifierKey. */
  keyHash: string;
  /** What its signatures are checked with; see `formatVerifierKey`. */
  verifierKey: string;
  /** The signature of a note's text, which ends with a newline. */
  sign(text: string): Uint8Array;
}

/** One signature line of a note. */
export interface NoteSignature {
  name: string;
  /** See VerifierKey. */
  keyHash: string;
  signature: Uint8Array;
}

/** A signature that was checked. */
export interface CheckedSignature extends SignatureFacts {
  name: string;
  /** See VerifierKey. */
  keyHash: string;
}

/** Signs with Ed25519 (type 0x01). @param options.seed 32 bytes */
export function createNoteSigner({ name, seed }: { name: string; seed: Uint8Array }): NoteSigner {
  const { publicKey, sign } = ed25519KeyOf(seed);
  const key = { name, type: noteTypes.ed25519, publicKey };
  return {
    ...{ name, keyHash: keyHashOf(key), verifierKey: formatVerifierKey(key) },
    sign: (text) => sign(Buffer.from(text)),
  };
}

/**
 * Signs checkpoints as a witness does (C2SP tlog-cosignature v1, type 0x04): with the time.
 * @param options.seed 32 bytes; of this cosigner alone
 * @param options.nowMs unix milliseconds; the clock by default
 */
export function createCosigner(options: { name: string; seed: Uint8Array; nowMs?: () => number }): NoteSigner {
  const { name, seed, nowMs = () => Date.now() } = options;
  const { publicKey, sign } = ed25519KeyOf(seed);
  const key = { name, type: noteTypes.cosignature, publicKey };
  return {
    ...{ name, keyHash: keyHashOf(key), verifierKey: formatVerifierKey(key) },
    sign(text) {
      const timestamp = Math.floor(nowMs() / 1_000);
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(timestamp));
      return Buffer.concat([time, sign(cosignedMessage(text, timestamp))]);
    },
  };
}

/**
 * C2SP signed-note: the text, an empty line, and one line for each signature.
 * @throws AutoPayError `invalid_encoding` if the text cannot be a note's
 */
export function signNote(text: string, signers: readonly Pick<NoteSigner, 'name' | 'keyHash' | 'sign'>[]): string {
  requireText(text);
  return `${text}\n${signers.map((signer) => formatSignature({ ...signer, signature: signer.sign(text) })).join('')}`;
}

/** A signature line, with its newline. */
export function formatSignature({ name, keyHash, signature }: NoteSignature): string {
  return `— ${name} ${Buffer.concat([Buffer.from(keyHash, 'hex'), signature]).toString('base64')}\n`;
}

/**
 * Adds signature lines, such as cosignatures of witnesses, to a note; one that is there already is not added again.
 * @param lines each as `formatSignature` writes it
 * @throws AutoPayError `invalid_encoding` if the note or a line is malformed
 */
export function addSignatures(note: string, lines: readonly string[]): string {
  const all = [...splitNote(note).lines];
  for (const line of lines) {
    const bare = line.endsWith('\n') ? line.slice(0, -1) : line;
    parseSignature(bare);
    if (!all.includes(bare)) all.push(bare);
  }
  return `${splitNote(note).text}\n${all.map((line) => `${line}\n`).join('')}`;
}

/**
 * Reads a note without checking any signature.
 * @throws AutoPayError `invalid_encoding`
 */
export function parseNote(note: string): { text: string; signatures: NoteSignature[] } {
  const { text, lines } = splitNote(note);
  return { text, signatures: lines.map(parseSignature) };
}

/**
 * Reads a note and checks its signatures: what it returns has a good one of at least one of the verifiers. Lines of other keys are
 * not looked at, nor is a second line of a key.
 * @returns the text, with its last newline, and the signatures that are good, in the order of the note
 * @throws AutoPayError `invalid_encoding` if it is no note; `invalid_signature` if a line of a verifier is not good, or there is none
 */
export function openNote(
  note: string,
  verifiers: readonly NoteVerifier[],
): { text: string; signatures: CheckedSignature[] } {
  const { text, signatures } = parseNote(note);
  const checked = new Map<NoteVerifier, CheckedSignature>();
  for (const { name, keyHash, signature } of signatures) {
    const verifier = verifiers.find((known) => known.name === name && known.keyHash === keyHash);
    if (verifier === undefined || checked.has(verifier)) continue;
    const facts = verifier.verify(text, signature);
    if (facts === undefined) {
      throw new AutoPayError(
        'invalid_signature',
        `The signature of ${name} is not of this text. Fetch the note again.`,
      );
    }
    checked.set(verifier, { name, keyHash, ...facts });
  }
  if (checked.size === 0) {
    const names = verifiers.map(({ name, keyHash }) => `${name}+${keyHash}`).join(', ');
    throw new AutoPayError('invalid_signature', `The note has no signature of ${names || 'a known key'}.`);
  }
  return { text, signatures: [...checked.values()] };
}

/** The most signatures of a note; C2SP signed-note asks for 16 at least. */
const maxSignatures = 100;

/** The longest note that is read, UTF-16 units: more than `maxSignatures` cosignatures. */
const maxNoteLength = 65_536;

function splitNote(note: string): { text: string; lines: string[] } {
  const end = note.length > maxNoteLength ? -1 : note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw malformed('it has a text, an empty line and signature lines');
  const text = note.slice(0, end + 1);
  requireText(text);
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > maxSignatures) throw malformed(`it has at most ${maxSignatures} signatures`);
  return { text, lines };
}

function requireText(text: string): void {
  if (!text.endsWith('\n') || text.length < 2) throw malformed('its text ends with a newline');
  // Only newlines of the ASCII control characters, and no half of a surrogate pair, which UTF-8 cannot carry.
  if (/[\x00-\x09\x0b-\x1f]/.test(text) || !text.isWellFormed()) throw malformed('its text has no control characters');
}

function parseSignature(line: string): NoteSignature {
  const [, name = '', base64 = ''] = /^— ([^\s\p{Z}\p{Cc}+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length < 5 || bytes.toString('base64') !== base64) throw malformed('a signature line is "— name base64"');
  return { name, keyHash: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) };
}

function malformed(rule: string): AutoPayError {
  return new AutoPayError('invalid_encoding', `This is not a signed note (C2SP signed-note): ${rule}.`);
}
