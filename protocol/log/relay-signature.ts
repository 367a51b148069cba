import { fromHex, type Hex } from '../bytes/hex.ts';
import { recoverSigner, signDigest, addressOfPrivateKey } from '../bytes/secp256k1.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { receiptDomainSeparator } from '../typed-data/receipt-batch.ts';
import { logCheckpointDigest } from '../typed-data/log-checkpoint.ts';
import type { TypedDataScope } from '../typed-data/domain-separator.ts';
import { formatCheckpoint, parseCheckpoint, type LogCheckpoint } from './checkpoint.ts';
import { formatVerifierKey, keyHashOf, noteTypes, type NoteVerifier } from './note-keys.ts';
import { parseNote, type NoteSigner } from './signed-note.ts';

/** What follows the type byte 0xff, before the 20 bytes of the signer's address, in the key of such a signature. */
const typeName = Buffer.from('autopayllm-eip712-v1');

/** uint64 milliseconds and r ‖ s ‖ v. */
const signatureBytes = 8 + 65;

/**
 * Signs checkpoints by the relay's receipt key, which KeyRegistry on the chain vouches for: a signature that a contract can check
 * (docs/PROTOCOL.md, "The log").
 *
 * @param options.name the log's origin
 * @param options.scope home chain and AutoPayLLM contract
 * @param options.receiptKey 32 bytes
 * @param options.nowMs unix milliseconds
 */
export function createRelaySigner(options: {
  name: string;
  scope: TypedDataScope;
  receiptKey: Uint8Array;
  nowMs: () => number;
}): NoteSigner {
  const { name, receiptKey, nowMs } = options;
  const separator = receiptDomainSeparator(options.scope);
  const key = relayKeyOf(name, addressOfPrivateKey(receiptKey));
  return {
    ...{ name, keyHash: keyHashOf(key), verifierKey: formatVerifierKey(key) },
    sign(text) {
      const signedAtMs = nowMs();
      const digest = logCheckpointDigest(separator, { ...parseCheckpoint(text), signedAtMs });
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(signedAtMs));
      return Buffer.concat([time, signDigest(digest, receiptKey)]);
    },
  };
}

/** Checks the signatures that `createRelaySigner` makes. @param options.signer the address of the relay's receipt key */
export function createRelayVerifier(options: { name: string; scope: TypedDataScope; signer: Hex }): NoteVerifier {
  const { name, scope, signer } = options;
  return {
    ...{ name, keyHash: keyHashOf(relayKeyOf(name, signer)) },
    verify(text, signature) {
      const recovered = recoverCheckpoint(text, signature, scope);
      return recovered?.signer === signer.toLowerCase()
        ? { timestamp: Math.floor(recovered.signedAtMs / 1_000) }
        : undefined;
    },
  };
}

/** A checkpoint that a relay's receipt key signed. */
export interface SignedCheckpoint extends LogCheckpoint {
  /** Unix milliseconds. */
  signedAtMs: number;
  /** 65 bytes r ‖ s ‖ v over `LogCheckpoint`. */
  signature: Uint8Array;
  /** The address that signed, in lower case: whether it is the relay's, KeyRegistry knows. */
  signer: Hex;
}

/**
 * Says who signed a checkpoint, for those who do not know the relay's key and ask the chain for it.
 * @throws AutoPayError `invalid_encoding` if it is no checkpoint; `invalid_signature` if no relay signed it for this scope
 */
export function recoverSignedCheckpoint(note: string, scope: TypedDataScope): SignedCheckpoint {
  const { text, signatures } = parseNote(note);
  const { origin } = parseCheckpoint(text);
  for (const { name, keyHash, signature } of signatures) {
    const recovered = name === origin ? recoverCheckpoint(text, signature, scope) : undefined;
    if (recovered !== undefined && keyHashOf(relayKeyOf(name, recovered.signer)) === keyHash) return recovered;
  }
  throw new AutoPayError('invalid_signature', `The checkpoint has no signature by a receipt key of ${origin}.`);
}

function relayKeyOf(name: string, address: Hex) {
  return { name, type: noteTypes.other, publicKey: Buffer.concat([typeName, fromHex(address, 20)]) };
}

function recoverCheckpoint(text: string, signature: Uint8Array, scope: TypedDataScope): SignedCheckpoint | undefined {
  if (signature.length !== signatureBytes) return undefined;
  const signedAtMs = Number(Buffer.from(signature.subarray(0, 8)).readBigUInt64BE(0));
  if (!Number.isSafeInteger(signedAtMs)) return undefined;
  const checkpoint = parseCheckpoint(text);
  // The typed data has no place for extension lines: a text that has some is not what was signed.
  if (formatCheckpoint(checkpoint) !== text) return undefined;
  const own = signature.subarray(8);
  const digest = logCheckpointDigest(receiptDomainSeparator(scope), { ...checkpoint, signedAtMs });
  try {
    return { ...checkpoint, signedAtMs, signature: own, signer: recoverSigner(digest, own) };
  } catch {
    return undefined;
  }
}
