import { expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { listAllIds, workInTurn } from './work-in-turn.ts';

test('all is done, so many at once', async () => {
  const done: number[] = [];
  let [atWork, most] = [0, 0];
  await workInTurn([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, (atWork += 1));
    await Promise.resolve();
    atWork -= 1;
    done.push(item);
  });
  expect([done, most]).toEqual([[1, 2, 3, 4, 5], 2]);
});

test('pages are read to the last', async () => {
  const ids = Array.from({ length: 20_001 }, (_, at): Hex => `0x${String(at).padStart(64, '0')}`);
  const listed = await listAllIds(({ after, limit }) =>
    Promise.resolve(ids.filter((id) => after === undefined || id > after).slice(0, limit)),
  );
  expect(listed).toEqual(ids);
});
