import { expect, it } from 'vitest';
import { KeptBytes, KeptStream, maxKeptAnswerBytes } from './keep-answer.ts';

it('a stream is kept whole, in order', () => {
  const kept = new KeptStream(new KeptBytes());
  for (const text of ['data: 1\n\n', 'data: 2\n\n']) kept.add(Buffer.from(text));
  expect(kept.take()?.toString()).toBe('data: 1\n\ndata: 2\n\n');
});

it('a stream that is too long is not kept at all, however it ends', () => {
  const kept = new KeptStream(new KeptBytes());
  kept.add(Buffer.alloc(maxKeptAnswerBytes));
  expect(kept.take()).toHaveLength(maxKeptAnswerBytes);
  kept.add(Buffer.alloc(1));
  expect(kept.take()).toBeNull();
  kept.add(Buffer.alloc(1));
  expect(kept.take()).toBeNull();
});

it('streams share their room: one that finds none is not kept, and what ends leaves its own', () => {
  const room = new KeptBytes(10);
  const [first, second] = [new KeptStream(room), new KeptStream(room)];
  first.add(Buffer.from('12345678'));
  second.add(Buffer.from('12'));
  second.add(Buffer.from('3'));
  expect([first.take()?.length, second.take()]).toEqual([8, null]);
  first.end();
  first.end();
  const third = new KeptStream(room);
  third.add(Buffer.from('1234567890'));
  expect(third.take()).toHaveLength(10);
});
