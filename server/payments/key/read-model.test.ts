import { expect, test } from 'vitest';
import { readModel } from './read-model.ts';

const read = (text: string) => readModel(Buffer.from(text));

test('the model is the outermost member of that name', () => {
  expect(read('{"messages":[{"model":"inner"}],"model":"sim-small"}')).toBe('sim-small');
  expect(read('{"\\u006dodel":"sim\\u002dsmall"}')).toBe('sim-small');
});

test('what the call would be refused for has no model', () => {
  const texts = [
    '',
    '{',
    '[]',
    '{}',
    '{"model":1}',
    '{"model":null}',
    '{"model":"a","model":"b"}',
    '"model"',
    '{"model":"a',
  ];
  for (const text of texts) expect(read(text), text).toBeUndefined();
});
