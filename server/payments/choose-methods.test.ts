import { expect, it } from 'vitest';
import { chooseMethods } from './choose-methods.ts';
import { createFreeMethod } from './free/free-method.ts';

it('takes the methods that are named, in that order, each once', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ ...createFreeMethod(), name }));
  if (!a || !b || !c) throw new Error('three were made');
  expect(chooseMethods(['c', 'a', 'c', 'd'], [a, b, c])).toEqual([c, a]);
});
