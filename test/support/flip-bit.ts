/** A copy with one byte changed: in its lowest bit, or as the mask says. */
export function flipBit(bytes: Uint8Array, at: number, mask = 1): Buffer<ArrayBuffer> {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ mask, at);
  return changed;
}
