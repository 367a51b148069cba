/**
 * All bytes of a body that may not be longer than it should be: of one that is, no more is read, and leaving it closes its connection.
 * @param body null has none
 * @param options.tooLong what is thrown then
 */
export async function collectBytes(
  body: AsyncIterable<Uint8Array> | null,
  { maxBytes, tooLong }: { maxBytes: number; tooLong: () => Error },
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body ?? []) {
    length += piece.length;
    if (length > maxBytes) throw tooLong();
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}
