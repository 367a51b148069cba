import { expect, test } from 'vitest';
import { collectBytes } from './collect-bytes.ts';

const tooLong = () => new RangeError('too long');

/** A body in pieces, and whether it was left before its end. */
function bodyOf(...pieces: string[]) {
  const state = { isLeft: false };
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for (const piece of pieces) yield Buffer.from(piece);
    } finally {
      state.isLeft = true;
    }
  }
  return { body: read(), state };
}

test('a body is read whole, up to its bound', async () => {
  expect((await collectBytes(bodyOf('ab', '', 'c').body, { maxBytes: 3, tooLong })).toString()).toBe('abc');
  expect(await collectBytes(bodyOf().body, { maxBytes: 0, tooLong })).toHaveLength(0);
  expect(await collectBytes(null, { maxBytes: 0, tooLong })).toHaveLength(0);
});

test('of one that is longer no more is read', async () => {
  const { body, state } = bodyOf('ab', 'cd', 'ef');
  await expect(collectBytes(body, { maxBytes: 3, tooLong })).rejects.toThrow('too long');
  expect(state.isLeft).toBe(true);
});
