import { expect, it } from 'vitest';
import { readModelBody } from './read-model-body.ts';

const read = (text: string, known?: ReadonlySet<string>) => readModelBody(Buffer.from(text), known);

it('gives the object, its members as they stand, and the model', () => {
  const text = '{"model":"small","n": 2}';
  const { members, model, value } = read(text);
  expect({ model, value }).toEqual({ model: 'small', value: { model: 'small', n: 2 } });
  expect(members.map(({ key, valueStart, valueEnd }) => [key, text.slice(valueStart, valueEnd)])).toEqual([
    ['model', '"small"'],
    ['n', '2'],
  ]);
});

it.each([
  ['[]', { code: 'invalid_json' }],
  ['{"model":"a","model":"b"}', { code: 'duplicate_key', param: 'model' }],
  ['{"model":"a","Messages":[]}', { code: 'invalid_request', param: 'Messages' }],
  ['{"messages":[]}', { code: 'invalid_request', param: 'model' }],
])('refuses %s', (text, error) => {
  expect(() => read(text)).toThrow(expect.objectContaining(error) as Error);
});

it('holds the spelling to the names of the endpoint', () => {
  const text = '{"model":"a","Messages":[]}';
  expect(read(text, new Set(['model'])).model).toBe('a');
});
