import { describe, expect, it } from 'vitest';
import { escapeLine, escapeText } from './escape-text.ts';

describe('text of others', () => {
  it.each([
    ['an escape sequence', 'sim\x1b[1A\x1b[2K', String.raw`sim\x1b[1A\x1b[2K`],
    ['its one-character form', 'sim\x9b2K', String.raw`sim\x9b2K`],
    ['a carriage return, a backspace and DEL', 'a\rb\bc\x7f', String.raw`a\x0db\x08c\x7f`],
    ['a change of direction', 'a\u202eb\u2066c\u061cd', String.raw`a\u202eb\u2066c\u061cd`],
    ['a line separator', 'a\u2028b\u2029', String.raw`a\u2028b\u2029`],
  ])('has %s written out', (_what, text, escaped) => {
    expect(escapeText(text)).toBe(escaped);
    expect(escapeLine(text)).toBe(escaped);
  });

  it('keeps its lines, and all that is only writing', () => {
    const text = 'one\n\tzwei → 二 🙂 می‌خواهم\n';
    expect(escapeText(text)).toBe(text);
  });

  it('has no further line, and nothing that cannot be seen, where it is a name', () => {
    expect(escapeLine('sim-small\n  now\tfine')).toBe(String.raw`sim-small\x0a  now\x09fine`);
    expect(escapeLine('sim\u200b-small\u{e0041}')).toBe(String.raw`sim\u200b-small\u{e0041}`);
    expect(escapeLine('größer → 二')).toBe('größer → 二');
  });
});
