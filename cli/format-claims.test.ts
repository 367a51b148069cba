import { expect, it } from 'vitest';
import { formatClaims } from './format-claims.ts';

it('shows a claim that could not be checked as neither true nor false', () => {
  const text = formatClaims([
    { name: 'anchored', ok: true, detail: 'it is' },
    { name: 'price', ok: false, detail: 'too dear\nby far' },
    { name: 'consistent', ok: null, detail: 'not checked: nothing was seen' },
  ]);
  expect(text.split('\n')).toEqual([
    'holds        anchored    it is',
    expect.stringMatching(/^FAILS {8}price {7}too dear.*by far$/),
    'not checked  consistent  nothing was seen',
    '',
  ]);
});
