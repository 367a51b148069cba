import { describe, expect, test } from 'vitest';
import { compileRule, findRule, type RuleAsk, type RuleCondition } from './compile-rules.ts';

const ask: RuleAsk = {
  ...{ text: 'Please check this contract', promptCharacters: 26, tools: false, images: false, tags: [] },
  ...{ model: 'auto', isAuto: true, headers: {} },
};

const matches = (when: RuleCondition, changes: Partial<RuleAsk> = {}) =>
  compileRule({ name: 'rule', when, targets: ['t'] }).matches({ ...ask, ...changes });

describe('a rule', () => {
  test('looks at the text: by keyword in any case, or by pattern', () => {
    expect(matches({ keywords: ['CONTRACT', 'lawsuit'] })).toBe(true);
    expect(matches({ keywords: ['lawsuit'] })).toBe(false);
    expect(matches({ pattern: '(?i)\\bCHECK\\b.*contract$' })).toBe(true);
    expect(matches({ pattern: '^contract' })).toBe(false);
  });

  test('looks for patterns at the beginning of a long text only: they are matched before anybody has paid', () => {
    const text = `${'x'.repeat(8_188)}word`;
    expect(matches({ pattern: 'word' }, { text })).toBe(true);
    expect(matches({ pattern: 'word' }, { text: `.${text}` })).toBe(false);
    expect(matches({ keywords: ['word'] }, { text: `.${text}` })).toBe(true);
  });

  test('looks at length, tools, images, script, tags and headers', () => {
    expect(matches({ minPromptCharacters: 26, maxPromptCharacters: 26 })).toBe(true);
    expect(matches({ minPromptCharacters: 27 })).toBe(false);
    expect(matches({ maxPromptCharacters: 25 })).toBe(false);
    expect(matches({ tools: true })).toBe(false);
    expect(matches({ tools: true }, { tools: true })).toBe(true);
    expect(matches({ images: false })).toBe(true);
    expect(matches({ scripts: ['latin'] })).toBe(true);
    expect(matches({ scripts: ['han', 'kana'] })).toBe(false);
    expect(matches({ tags: ['legal_docs'] }, { tags: ['x', 'legal_docs'] })).toBe(true);
    expect(matches({ tags: ['legal_docs'] })).toBe(false);
    expect(matches({ headers: { 'x-team': '^(?:law|tax)$' } }, { headers: { 'x-team': 'tax' } })).toBe(true);
    expect(matches({ headers: { 'x-team': '.' } })).toBe(false);
  });

  test('holds only if all of it does', () => {
    expect(matches({ keywords: ['contract'], tools: true })).toBe(false);
    expect(matches({ keywords: ['contract'], tools: true }, { tools: true })).toBe(true);
  });

  test('without models is for names that stand for others; no model that was asked for by name is replaced', () => {
    const named = { model: 'gpt-4o', isAuto: false };
    expect(matches({ keywords: ['contract'] }, named)).toBe(false);
    expect(matches({ keywords: ['contract'], models: ['gpt-4o'] }, named)).toBe(true);
    expect(matches({ keywords: ['contract'], models: ['gpt-4o'] })).toBe(false);
  });

  test('the first that matches wins', () => {
    const rules = ['first', 'second'].map((name) =>
      compileRule({ name, when: { keywords: ['contract'] }, targets: [] }),
    );
    expect(findRule(rules, ask)?.name).toBe('first');
    expect(findRule(rules, { ...ask, text: 'hello' })).toBeUndefined();
  });
});

describe('a pattern', () => {
  test.each(['(a+)+$', '(a|aa)+$', '(.*a){20}$', '^([a-zA-Z]+)*$'])(
    '%s runs in linear time on what is made to hang it',
    (pattern) => {
      const startedAt = performance.now();
      expect(matches({ pattern }, { text: `${'a'.repeat(8_000)}!` })).toBe(false);
      // Backtracking would take longer than the universe has existed.
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    },
  );

  test.each(['(a)\\1', '(?=a)b', '(unclosed'])('%s is refused when it is read', (pattern) => {
    expect(() => compileRule({ name: 'rule', when: { pattern }, targets: [] })).toThrow();
  });
});
