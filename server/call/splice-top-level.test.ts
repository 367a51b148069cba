import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanTopLevel } from './scan-top-level.ts';
import { spliceTopLevel, type TopLevelChanges } from './splice-top-level.ts';

function splice(text: string, changes: Record<string, string | null>): string {
  const bytes = Buffer.from(text);
  return spliceTopLevel(bytes, scanTopLevel(bytes), new Map(Object.entries(changes))).toString('utf8');
}

/** A JSON object's text with white space and escapes of every kind, and what it means. */
const jsonText = fc
  .tuple(
    fc.uniqueArray(
      fc.tuple(fc.oneof(fc.constantFrom('model', 'usage', 'a'), fc.string({ unit: 'binary' })), fc.jsonValue()),
      {
        selector: ([key]) => key,
        maxLength: 6,
      },
    ),
    fc.array(fc.constantFrom('', ' ', '\n', '\t\r\n '), { minLength: 8, maxLength: 8 }),
    fc.boolean(),
  )
  .map(([members, spaces, escape]) => {
    const space = (index: number): string => spaces[index % spaces.length] ?? '';
    const write = (value: unknown): string => {
      const text = JSON.stringify(value, null, spaces[0] === '' ? 0 : 1);
      // No word or escape of JSON has an "o": it stands in strings only.
      return escape ? text.replaceAll('o', '\\u006f') : text;
    };
    const inner = members.map(
      ([key, value], index) =>
        `${space(index)}${write(key)}${space(index + 1)}:${space(index + 2)}${write(value)}${space(index + 3)}`,
    );
    return `${space(1)}{${space(2)}${inner.join(',')}}${space(3)}`;
  });

describe('scanTopLevel', () => {
  test('finds what JSON.parse finds', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        const bytes = Buffer.from(text);
        const found = scanTopLevel(bytes).map(({ key, valueStart, valueEnd }) => [
          key,
          JSON.parse(bytes.subarray(valueStart, valueEnd).toString('utf8')) as unknown,
        ]);
        // A list of pairs, since an object would take __proto__ for something else.
        const expected = Object.entries(JSON.parse(text) as object);
        expect(new Map(found as [string, unknown][])).toEqual(new Map(expected));
      }),
      { numRuns: 2000 },
    );
  });

  test('values end where they end', () => {
    const text = '{"a":-1.5e+3,"b":true\n,"c":"}\\"]","d":[{"x":"]"}],"e":{},"f":null}';
    const values = scanTopLevel(Buffer.from(text)).map(({ valueStart, valueEnd }) => text.slice(valueStart, valueEnd));
    expect(values).toEqual(['-1.5e+3', 'true', '"}\\"]"', '[{"x":"]"}]', '{}', 'null']);
  });

  test('refuses a key that is there twice, however it is written', () => {
    for (const text of ['{"model":"a","model":"b"}', '{"model":"a","mod\\u0065l":"b"}']) {
      expect(() => scanTopLevel(Buffer.from(text))).toThrowError(
        expect.objectContaining({ code: 'duplicate_key', param: 'model' }),
      );
    }
    expect(scanTopLevel(Buffer.from('{"a":{"b":1,"b":2}}'))).toHaveLength(1);
  });

  test('ends on bytes that are no JSON', () => {
    fc.assert(fc.property(fc.string(), (text) => void quietly(() => scanTopLevel(Buffer.from(text)))));
  });
});

function quietly(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toMatchObject({ name: expect.stringMatching(/AutoPayError|SyntaxError/) });
  }
}

describe('spliceTopLevel', () => {
  test('changes what it is told to, and nothing else', () => {
    const change = fc.option(
      fc.jsonValue().map((value) => JSON.stringify(value)),
      { nil: null },
    );
    const changes = fc.dictionary(fc.constantFrom('model', 'usage', 'a', 'new'), change);
    fc.assert(
      fc.property(jsonText, changes, (text, wanted) => {
        const expected = new Map(Object.entries(JSON.parse(text) as Record<string, unknown>));
        for (const [key, value] of Object.entries(wanted)) {
          if (value === null) expected.delete(key);
          else expected.set(key, JSON.parse(value));
        }
        const result = JSON.parse(splice(text, wanted)) as object;
        expect(new Map(Object.entries(result))).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test('keeps the exact bytes of other members', () => {
    expect(splice('{ "a" : 1.0e2 , "model":"x","z":[1, 2] }', { model: '"y"' })).toBe(
      '{"a" : 1.0e2,"model":"y","z":[1, 2]}',
    );
    expect(splice('{"a":1,"usage":null}', { usage: null })).toBe('{"a":1}');
    expect(splice('{"usage":null,"a":1}', { usage: null })).toBe('{"a":1}');
    expect(splice('{"usage":null}', { usage: null })).toBe('{}');
    expect(splice('{}', { n: '1' })).toBe('{"n":1}');
  });

  test('without changes gives the same bytes', () => {
    const bytes = Buffer.from('{ "a": 1 }');
    const none: TopLevelChanges = new Map();
    expect(spliceTopLevel(bytes, scanTopLevel(bytes), none)).toBe(bytes);
  });
});
