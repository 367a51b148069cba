import { expect, test } from 'vitest';
import { isObject } from './json-object.ts';

test('tells objects from all other JSON', () => {
  expect(['{}', '{"a":1}'].map((text) => isObject(JSON.parse(text)))).toEqual([true, true]);
  for (const text of ['null', '[]', '[{}]', '1', '"{}"', 'true']) expect(isObject(JSON.parse(text)), text).toBe(false);
});
