import { verifyEd25519 } from '../bytes/ed25519.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { sha256 } from '../merkle/hashes.ts';

/** Signature types of C2SP signed-note: a byte that begins what is hashed to a key's id. */
export const noteTypes = { ed25519: 0x01, cosignature: 0x04, other: 0xff } as const;

/** A key that signs notes, as its users know it. */
export interface VerifierKey {
  /** Whose it is: no spaces, no plus. */
  name: string;
  /** The key's id: 8 hexadecimal digits, lower case. With the name it tells whose a signature line is. */
  keyHash: string;
  /** Of `noteTypes`. */
  type: number;
  /** What follows the type byte: 32 bytes for Ed25519. */
  publicKey: Uint8Array;
}

/** Checks the signatures of one key. */
export interface NoteVerifier {
  name: string;
  /** See VerifierKey. */
  keyHash: string;
  /**
   * What a good signature says; undefined for one that is not good.
   * @param text the note's, with its last newline
   */
  verify(text: string, signature: Uint8Array): SignatureFacts | undefined;
}

/** What a signature says besides that it is good. */
export interface SignatureFacts {
  /** Of cosignatures: when it was made, unix seconds. */
  timestamp?: number;
}

/** No control characters, no spaces of Unicode and no plus. */
const namePattern = /^[^\s\p{Z}\p{Cc}+]{1,256}$/u;

/**
 * The id of a key (C2SP signed-note): the first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key), as 8 hexadecimal digits.
 * @throws AutoPayError `invalid_encoding` if nothing can have such a name
 */
export function keyHashOf({ name, type, publicKey }: Omit<VerifierKey, 'keyHash'>): string {
  if (!namePattern.test(name)) {
    throw new AutoPayError('invalid_encoding', 'The name of a note’s key has no spaces and no plus, and is not empty.');
  }
  return sha256(Buffer.from(`${name}\n`), Uint8Array.of(type), publicKey).toString('hex', 0, 4);
}

/** C2SP signed-note, "Verifier keys": `<name>+<key id>+base64(type ‖ public key)`. */
export function formatVerifierKey(key: Omit<VerifierKey, 'keyHash'>): string {
  const material = Buffer.concat([Uint8Array.of(key.type), key.publicKey]).toString('base64');
  return `${key.name}+${keyHashOf(key)}+${material}`;
}

/**
 * Reads what `formatVerifierKey` wrote.
 * @throws AutoPayError `invalid_encoding`, also if the id is not that of the key
 */
export function parseVerifierKey(text: string): VerifierKey {
  const [, name = '', keyHash = '', base64 = ''] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const material = Buffer.from(base64, 'base64');
  const [type] = material;
  const key = { name, keyHash, type: type ?? 0, publicKey: material.subarray(1) };
  const isWhole = type !== undefined && material.toString('base64') === base64 && key.publicKey.length > 0;
  if (isWhole && keyHashOf(key) === keyHash) return key;
  throw new AutoPayError(
    'invalid_encoding',
    'A verifier key is <name>+<8 hexadecimal digits>+<base64>, its id that of its key. Copy it whole, as GET /log/key has it.',
  );
}

/**
 * Checks signatures of type Ed25519 and cosignature/v1.
 * @throws AutoPayError `invalid_encoding` if the key is of another type
 */
export function createNoteVerifier(key: VerifierKey | string): NoteVerifier {
  const { name, keyHash, type, publicKey } = typeof key === 'string' ? parseVerifierKey(key) : key;
  const verify = verifications[type];
  if (verify === undefined || publicKey.length !== 32) {
    throw new AutoPayError('invalid_encoding', `The key of ${name} is of type ${type}: it has to be Ed25519, 1 or 4.`);
  }
  return { name, keyHash, verify: (text, signature) => verify(publicKey, text, signature) };
}

const verifications: Record<
  number,
  (key: Uint8Array, text: string, signature: Uint8Array) => SignatureFacts | undefined
> = {
  [noteTypes.ed25519]: (key, text, signature) => (verifyEd25519(key, Buffer.from(text), signature) ? {} : undefined),
  [noteTypes.cosignature](key, text, signature) {
    if (signature.length !== 72) return undefined;
    const timestamp = Number(Buffer.from(signature).readBigUInt64BE(0));
    if (!Number.isSafeInteger(timestamp)) return undefined;
    const message = cosignedMessage(text, timestamp);
    return verifyEd25519(key, message, signature.subarray(8)) ? { timestamp } : undefined;
  },
};

/**
 * C2SP tlog-cosignature, "Ed25519 signed message".
 * @param timestamp unix seconds
 */
export function cosignedMessage(text: string, timestamp: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${timestamp}\n${text}`);
}
