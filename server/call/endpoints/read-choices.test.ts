import { expect, test } from 'vitest';
import type { JsonObject } from '../../../protocol/text/json-object.ts';
import { readChoices } from './read-choices.ts';

function nameOf(answer: JsonObject): string {
  try {
    return `${readChoices(answer).length} choices`;
  } catch (error) {
    return error instanceof Error ? error.name : 'none';
  }
}

test.each<[JsonObject, string]>([
  [{ choices: [{ index: 0 }, { index: 1 }] }, '2 choices'],
  [{ choices: [{ index: 0 }], error: { message: 'a warning' } }, '1 choices'],
  [{ choices: [] }, 'EmptyAnswer'],
  [{ choices: null }, 'EmptyAnswer'],
  [{ choices: [], error: null }, 'EmptyAnswer'],
  [{ choices: [], error: { message: 'overloaded' } }, 'UnusableAnswer'],
  [{ choices: null, error: { message: 'overloaded' } }, 'UnusableAnswer'],
  [{}, 'UnusableAnswer'],
  [{ choices: 'two' }, 'UnusableAnswer'],
])('%j is %s', (answer, expected) => {
  expect(nameOf(answer)).toBe(expected);
});
