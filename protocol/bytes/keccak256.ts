import createKeccak from 'keccak';

/** Keccak-256 of the concatenation of `parts`. Native where the platform has a build, JavaScript elsewhere. */
export function keccak256(...parts: Uint8Array[]): Buffer {
  const hash = createKeccak('keccak256');
  for (const part of parts) hash.update(Buffer.isBuffer(part) ? part : Buffer.from(part));
  return hash.digest();
}
