import { expect, test } from 'vitest';
import { parseYaml, placeOf, scalarText } from './yaml-source.ts';

const source = parseYaml('a:\n  - b: 1.50e-7\n    c: [x, y]\nlong: { key: 0xAb }\n', 'f.yaml');

test('a key stands where its name begins, an element where it begins', () => {
  expect(placeOf(source, ['a'])).toBe('f.yaml:1:1');
  expect(placeOf(source, ['a', 0])).toBe('f.yaml:2:5');
  expect(placeOf(source, ['a', 0, 'c'])).toBe('f.yaml:3:5');
  expect(placeOf(source, ['a', 0, 'c', 1])).toBe('f.yaml:3:12');
  expect(placeOf(source, ['long', 'key'])).toBe('f.yaml:4:9');
});

test('what is not there stands where the nearest thing around it does', () => {
  expect(placeOf(source, ['a', 0, 'missing', 'deeper'])).toBe('f.yaml:2:5');
  expect(placeOf(source, ['nowhere'])).toBe('f.yaml:1:1');
});

test('scalars are had behind aliases and merge keys', () => {
  const text = 'a: &a { x: 1e-7, y: 1 }\nb: &b { y: 2.0, z: 3 }\nuse: { <<: [*a, *b], z: 4.0, w: *a }\n';
  const merged = parseYaml(text, 'f.yaml');
  const read = (...path: string[]) => scalarText(merged, ['use', ...path]);
  expect([read('x'), read('y'), read('z'), read('w', 'x'), read('v')]).toEqual(['1e-7', '1', '4.0', '1e-7', undefined]);
});

test('scalars are had as they are written, hexadecimal ones as text', () => {
  expect(scalarText(source, ['a', 0, 'b'])).toBe('1.50e-7');
  expect(scalarText(source, ['a'])).toBeUndefined();
  expect(source.value).toMatchObject({ long: { key: '0xAb' } });
});

test('merge keys are followed, as LiteLLM’s parser does', () => {
  expect(parseYaml('base: &b { x: 1 }\nuse: { <<: *b, y: 2 }', 'f').value).toMatchObject({ use: { x: 1, y: 2 } });
});

test('a fault of YAML tells its place, and nothing of the file: keys stand there', () => {
  const texts = ['a: 1\nb: [secret\nc: 2', 'a: |secret\n', 'a: b\n  secret: 1', 'a: "x" secret', 'a: *secret'];
  for (const text of texts) {
    let message = '';
    try {
      parseYaml(text, 'f.yaml');
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('f.yaml');
    expect(message).not.toContain('secret');
  }
});

test('what is no YAML is refused with its place, and aliases that unfold without bound too', () => {
  expect(() => parseYaml('a: [1\nb: 2', 'f.yaml')).toThrow(/f\.yaml:2:\d+ is not valid YAML/);
  const bomb = [
    'a0: &a0 [x]',
    ...Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at}, `.repeat(9)}]`),
  ];
  expect(() => parseYaml(bomb.join('\n'), 'f.yaml')).toThrow(/f\.yaml cannot be read/);
});
