import { expect, it } from 'vitest';
import { KeptStream, maxKeptAnswerBytes } from './keep-answer.ts';

it('a stream is kept whole, in order', () => {
  const kept = new KeptStream();
  for (const text of ['data: 1\n\n', 'data: 2\n\n']) kept.add(Buffer.from(text));
  expect(kept.take()?.toString()).toBe('data: 1\n\ndata: 2\n\n');
});

it('a stream that is too long is not kept at all, however it ends', () => {
  const kept = new KeptStream();
  kept.add(Buffer.alloc(maxKeptAnswerBytes));
  expect(kept.take()).toHaveLength(maxKeptAnswerBytes);
  kept.add(Buffer.alloc(1));
  expect(kept.take()).toBeNull();
  kept.add(Buffer.alloc(1));
  expect(kept.take()).toBeNull();
});
