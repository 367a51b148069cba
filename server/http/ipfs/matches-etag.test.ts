import { expect, test } from 'vitest';
import { matchesEtag } from './matches-etag.ts';

test('an If-None-Match header is a list of tags, weak or strong, or any', () => {
  for (const header of ['"a"', 'W/"a"', '"b", "a"', '"b",W/"a"', '*', ' * ']) {
    expect(matchesEtag(header, '"a"'), header).toBe(true);
  }
  for (const header of [undefined, '', 'a', '"b"', '"a', '"aa"', '"A"', '"b" *']) {
    expect(matchesEtag(header, '"a"'), header).toBe(false);
  }
});
