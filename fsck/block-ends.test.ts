import { expect, test } from 'vitest';
import { BlockEnds } from './block-ends.ts';

const hash = (value: number) => Buffer.alloc(32, value);

test('each entry is in the block that was read with it, at blocks of every length', () => {
  const size = 1_000;
  const ends = new BlockEnds(size);
  expect([ends.length, ends.start, ends.find(0), ends.find(999)]).toEqual([0, size, undefined, undefined]);
  const starts: number[] = [];
  for (let start = size - 1; start > 100; start -= 1 + (start % 7)) starts.push(start);
  for (const [position, start] of starts.entries()) {
    ends.push({ digest: hash(position), root: hash(position + 1), start });
    expect(ends.start).toBe(start);
  }
  expect(ends.length).toBe(starts.length);
  for (let index = 0; index < size; index += 1) {
    const position = starts.findIndex((start) => start <= index);
    const end = position === 0 ? size : starts[position - 1];
    const found = ends.find(index);
    if (position < 0) expect(found).toBeUndefined();
    else expect(found).toEqual({ digest: hash(position), root: hash(position + 1), start: starts[position], end });
  }
  expect(ends.find(size)).toBeUndefined();
});
