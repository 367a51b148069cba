import { createPrivateKey, createPublicKey, hash, sign } from 'node:crypto';
import createKeccak from 'keccak';
import secp256k1 from 'secp256k1';
import type { EvidenceFault } from './directives.ts';
import { WireError } from './wire-error.ts';

/** A key that signs answers, as Phala's and NEAR AI's servers do. */
export interface SignerOptions {
  /** `ecdsa`: secp256k1 by EIP-191; `ed25519`: RFC 8032. */
  algorithm: 'ecdsa' | 'ed25519';
  /** 32 bytes. */
  privateKey: Uint8Array;
  /** What `/v1/attestation/report` answers beside the key; without it there is no such path. */
  report?: (ask: { nonce: string; signingAddress: string }) => object;
}

/** One answer that may be asked for its signature. */
export interface SignedAnswer {
  id: string;
  /** The request's bytes, hashed, hexadecimal. */
  bodyHash: string;
  /** The answer's body, all of it. */
  bytes: Buffer;
  /** What goes wrong; null for nothing. */
  fault: EvidenceFault | null;
}

/** Signs answers when it is asked. */
export interface AnswerSigner {
  note(answer: SignedAnswer): void;
  /**
   * The answer of `GET /v1/signature/{id}`; null where it is to hang.
   * @throws {WireError} 404
   */
  signature(id: string): object | null;
  /**
   * The answer of `GET /v1/attestation/report?nonce=…`.
   * @throws {WireError} 404
   */
  report(nonce: string): object;
}

/** Signatures that can be asked for; the oldest are forgotten. */
const maxNoted = 1_000;

interface Key {
  /** An address, or a public key in hexadecimal. */
  address: string;
  sign(text: string): string;
}

/** Makes a signer of `sha256(request):sha256(answer)`, both in hexadecimal. */
export function createAnswerSigner(options: SignerOptions): AnswerSigner {
  const key = openKey(options);
  const other = openKey({
    ...options,
    privateKey: options.privateKey.map((byte, index) => (index === 31 ? byte ^ 1 : byte)),
  });
  const noted = new Map<string, SignedAnswer & { asked: number }>();
  return {
    note(answer) {
      const [oldest] = noted.keys();
      if (noted.size >= maxNoted && oldest !== undefined) noted.delete(oldest);
      noted.set(answer.id, { ...answer, asked: 0 });
    },
    signature(id) {
      const answer = noted.get(id);
      if (answer) answer.asked += 1;
      const isLate = answer?.fault === 'late' && answer.asked === 1;
      if (!answer || isLate || answer.fault === 'missing')
        throw missing(`There is no signature of ${id.slice(0, 100)}.`);
      const { bodyHash, bytes, fault } = answer;
      if (fault === 'hang') return null;
      const signed = Buffer.from(bytes);
      // The last byte but one: of JSON inside the object, of a stream inside [DONE]'s line.
      if (fault === 'flip') signed.writeUInt8(signed.readUInt8(signed.length - 2) ^ 1, signed.length - 2);
      const text = `${bodyHash}:${hash('sha256', signed)}`;
      const by = fault === 'other-key' ? other : key;
      return {
        ...{ text, signature: by.sign(text), signing_address: by.address, signing_algo: options.algorithm },
        ...(fault === 'gateway' && { signature_kind: 'gateway' }),
      };
    },
    report(nonce) {
      if (!options.report) throw missing('There is no attestation here.');
      const report = options.report({ nonce, signingAddress: key.address });
      return { signing_address: key.address, signing_algo: options.algorithm, ...report };
    },
  };
}

function missing(message: string): WireError {
  return new WireError({ status: 404, message, code: 'not_found' });
}

function openKey({ algorithm, privateKey }: SignerOptions): Key {
  if (algorithm === 'ed25519') {
    const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
    const key = createPrivateKey({ key: Buffer.concat([prefix, privateKey]), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    return {
      address: spki.subarray(-32).toString('hex'),
      sign: (text) => sign(null, Buffer.from(text), key).toString('hex'),
    };
  }
  const publicKey = Buffer.from(secp256k1.publicKeyCreate(privateKey, false));
  return {
    address: `0x${keccak256(publicKey.subarray(1)).subarray(12).toString('hex')}`,
    sign(text) {
      const digest = keccak256(Buffer.from(`\x19Ethereum Signed Message:\n${Buffer.byteLength(text)}${text}`));
      const { recid, signature } = secp256k1.ecdsaSign(digest, privateKey);
      return `0x${Buffer.from(signature).toString('hex')}${(27 + recid).toString(16)}`;
    },
  };
}

function keccak256(bytes: Buffer): Buffer {
  return createKeccak('keccak256').update(bytes).digest();
}
