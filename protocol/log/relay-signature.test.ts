import { describe, expect, it } from 'vitest';
import { flipBit } from '../../test/support/flip-bit.ts';
import { addressOfPrivateKey } from '../bytes/secp256k1.ts';
import { formatCheckpoint } from './checkpoint.ts';
import { createRelaySigner, createRelayVerifier, recoverSignedCheckpoint } from './relay-signature.ts';
import { createNoteSigner, openNote, parseVerifierKey, signNote } from './signed-note.ts';

const scope = { chainId: 31_337, verifyingContract: `0x${'aa'.repeat(20)}` } as const;
const name = `eip155/31337/0x${'aa'.repeat(20)}`;
const receiptKey = Buffer.alloc(32, 7);
const address = addressOfPrivateKey(receiptKey);
const signer = createRelaySigner({ name, scope, receiptKey, nowMs: () => 1_700_000_000_123 });
const logSigner = createNoteSigner({ name, seed: Buffer.alloc(32, 1) });
const checkpoint = { origin: name, size: 300, root: Buffer.alloc(32, 3) };
const text = formatCheckpoint(checkpoint);
const note = signNote(text, [logSigner, signer]);
const verifier = createRelayVerifier({ name, scope, signer: address });

describe('a relay’s signature of a checkpoint', () => {
  it('is checked as any line of a note, beside the log’s own', () => {
    expect(openNote(note, [verifier])).toEqual({
      text,
      signatures: [{ name, keyHash: signer.keyHash, timestamp: 1_700_000_000 }],
    });
  });

  it('tells who signed, to whoever asks the chain for the key', () => {
    const signed = recoverSignedCheckpoint(note, scope);
    expect(signed).toMatchObject({ origin: name, size: 300, signedAtMs: 1_700_000_000_123, signer: address });
    expect(signed.signature).toHaveLength(65);
    expect(() => recoverSignedCheckpoint(signNote(text, [logSigner]), scope)).toThrow('no signature by a receipt key');
  });

  it('has the address in its verifier key, behind a name of its type', () => {
    const { type, publicKey } = parseVerifierKey(signer.verifierKey);
    expect(type).toBe(0xff);
    expect(Buffer.from(publicKey).toString('latin1', 0, 20)).toBe('autopayllm-eip712-v1');
    expect(`0x${Buffer.from(publicKey).toString('hex', 20)}`).toBe(address);
  });

  it('holds for no other text, contract, chain, key or line', () => {
    const line = (of: string) => signNote(of, [{ ...signer, sign: () => signer.sign(text) }]);
    const others = [
      formatCheckpoint({ ...checkpoint, size: 301 }),
      formatCheckpoint({ ...checkpoint, root: Buffer.alloc(32, 4) }),
      formatCheckpoint({ ...checkpoint, origin: `${name}0` }),
      // The typed data does not cover it.
      `${text}extension\n`,
    ];
    for (const other of others) {
      expect(() => openNote(line(other), [verifier]), other).toThrow('not of this text');
      expect(() => recoverSignedCheckpoint(line(other), scope), other).toThrow();
    }
    expect(() => recoverSignedCheckpoint(note, { ...scope, chainId: 1 })).toThrow('no signature by a receipt key');
    const stranger = createRelayVerifier({ name, scope, signer: `0x${'bb'.repeat(20)}` });
    expect(() => openNote(note, [stranger])).toThrow('has no signature of');
  });

  it('is refused with any bit of it flipped, its time included', () => {
    const whole = signer.sign(text);
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const flipped = flipBit(whole, bit >> 3, 1 << (bit & 7));
      expect(verifier.verify(text, flipped), `bit ${bit}`).toBeUndefined();
    }
    expect(verifier.verify(text, whole.subarray(1))).toBeUndefined();
  });
});
