import { expect, test } from 'vitest';
import { Cleanup } from './cleanup.ts';

test('undoes in reverse order, once, and at once what is added later', async () => {
  const undone: string[] = [];
  const cleanup = new Cleanup();
  const add = (name: string) =>
    cleanup.add(async () => {
      await Promise.resolve();
      undone.push(name);
    });
  await add('first');
  await add('second');
  expect(undone).toEqual([]);
  await Promise.all([cleanup.run(), cleanup.run()]);
  expect(undone).toEqual(['second', 'first']);
  await add('late');
  expect(undone).toEqual(['second', 'first', 'late']);
});
