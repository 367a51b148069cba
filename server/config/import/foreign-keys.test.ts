import { expect, test } from 'vitest';
import { judgeKeys, type KeyRules } from './foreign-keys.ts';

const rules: KeyRules = {
  'list.*.name': ['honoured', 'as here'],
  'list.*.info.*': ['warned', 'nothing is read'],
  'settings.guard': ['refused', 'requests would pass'],
  extra: ['warned', 'no such function'],
};
const judge = (value: object, ignored: string[] = []) =>
  judgeKeys(value, rules, ignored).map(({ path, status, message }) => `${status} ${path.join('.')} ${message}`);

test('every key gets what its rule says; what stands below goes with it', () => {
  expect(judge({ list: [{ name: { deep: 1 } }, { info: { a: 1 } }], settings: { guard: [1] }, extra: 1 })).toEqual([
    'honoured list.0.name as here',
    'warned list.1.info.a has no effect here: nothing is read',
    'refused settings.guard cannot be honoured: requests would pass. Remove it, or list it under `ignore` of the import',
    'warned extra has no effect here: no such function',
  ]);
});

test('of a list, names that change no answer are only warned of', () => {
  const rule = { calls: ['refused', 'nobody is called', ['logger']] } as const;
  const found = (calls: unknown) => judgeKeys({ calls }, rule, []).map(({ path, status }) => [path.join('.'), status]);
  expect(found(['logger', 'my.guard', 7])).toEqual([
    ['calls.0', 'warned'],
    ['calls.1', 'refused'],
    ['calls.2', 'refused'],
  ]);
  expect(found('logger')).toEqual([['calls', 'refused']]);
  expect(found([])).toEqual([]);
});

test('a key may ask for something by being off', () => {
  const found = (value: unknown) => judgeKeys({ any: value }, { any: ['refused', 'all is not known', 'off'] }, []);
  expect(found(false)).toMatchObject([
    { status: 'refused', message: expect.stringContaining('cannot be honoured: all is not known. ') as string },
  ]);
  expect(found(true)).toMatchObject([{ status: 'honoured' }]);
  expect(found(null)).toMatchObject([{ status: 'honoured' }]);
});

test('what is switched off, or empty, asks for nothing', () => {
  const off = [false, null, '', [], {}].map((guard) => judge({ settings: { guard } })[0]?.split(' ')[0]);
  expect(new Set(off)).toEqual(new Set(['honoured']));
  expect(judge({ settings: { guard: 0 } })[0]).toMatch(/^refused/);
});

test('a key without a rule is refused, with the name that was meant', () => {
  expect(judge({ setings: {} })).toEqual([
    'refused setings is not a known key; did you mean "settings"? Else remove it, or list it under `ignore` of the import',
  ]);
  expect(judge({ list: [{ nmae: 1 }] })).toEqual([
    expect.stringContaining('refused list.0.nmae is not a known key; did you mean "name"? Else remove it, '),
  ]);
  expect(judge({ whatsoever_it_may_be: 1 })).toEqual([
    expect.stringContaining('is not a known key; remove it, or list'),
  ]);
});

test('an operator may do without a key, by its rule or by its place', () => {
  for (const ignored of ['settings.guard', 'list.*.other', 'list.0.other']) {
    const found = judge({ list: [{ other: 1 }], settings: { guard: 1 } }, [ignored]);
    expect(found.filter((line) => line.startsWith('refused'))).toHaveLength(1);
    expect(found.join()).toContain('is ignored, as the configuration says');
  }
});
