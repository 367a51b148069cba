import { expect, test } from 'vitest';
import { sampleSchema } from './sample-schema.ts';

test.each<[string, object, unknown]>([
  ['a string', { type: 'string' }, 'simulated'],
  ['a long string', { type: 'string', minLength: 12 }, 'simulated...'],
  ['an integer', { type: 'integer', minimum: 5 }, 5],
  ['a boolean', { type: 'boolean' }, true],
  ['null', { type: 'null' }, null],
  ['the first type', { type: ['number', 'null'] }, 1],
  ['the first of enum', { enum: ['a', 'b'] }, 'a'],
  ['a constant', { const: false }, false],
  ['the first branch', { anyOf: [{ type: 'integer' }, { type: 'null' }] }, 1],
  ['an array', { type: 'array', items: { type: 'string' }, minItems: 2 }, ['simulated', 'simulated']],
  ['an object', { type: 'object', properties: { a: { type: 'object' }, b: { type: 'integer' } } }, { a: {}, b: 1 }],
  ['a reference', { $ref: '#/$defs/x', $defs: { x: { type: 'integer' } } }, 1],
  ['a dangling reference', { $ref: '#/$defs/y' }, null],
])('%s', (_, schema, value) => {
  expect(sampleSchema(schema)).toEqual(value);
});

test('a recursive schema ends', () => {
  const schema = { type: 'object', properties: { next: { $ref: '#' } } };
  expect(JSON.stringify(sampleSchema(schema))).toMatch(/^(\{"next":)+null\}+$/);
});
