import createKeccak from 'keccak';

/** The sponge inside a hash of `keccak`: native where the platform has a build, JavaScript elsewhere. */
interface Sponge {
  initialize(rateBits: number, capacityBits: number): void;
  absorb(bytes: Buffer): void;
  absorbLastFewBits(bits: number): void;
  squeeze(lengthBytes: number): Buffer;
}

/*
 * One sponge for all hashes of a thread: the package makes a stream for each, which takes longer than the hash itself.
 * `_state` is not of its documented interface; the version is pinned, and the vectors would notice.
 */
const { _state: sponge } = createKeccak('keccak256') as unknown as { _state: Sponge };
const capacityBits = 512;
const rateBits = 1_600 - capacityBits;
/** Keccak's own padding; SHA-3 has another. */
const paddingBits = 1;

/** Keccak-256 of the concatenation of `parts`. */
export function keccak256(...parts: Uint8Array[]): Buffer {
  sponge.initialize(rateBits, capacityBits);
  for (const part of parts) sponge.absorb(Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  sponge.absorbLastFewBits(paddingBits);
  return sponge.squeeze(32);
}
