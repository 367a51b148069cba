import { expect, test } from 'vitest';
import { createCursors } from './cursors.ts';

const cursors = createCursors('a secret');
const query = { payer: '0x01', order: 'asc' };

test('a cursor leads back to its place, in whatever order the query is written', () => {
  for (const place of [0, 1, 2 ** 32, 2 ** 48 - 1]) {
    const cursor = cursors.write(query, place);
    expect(cursor).toMatch(/^[\w-]{42}$/);
    expect(cursors.read({ order: 'asc', payer: '0x01' }, cursor)).toBe(place);
    expect(createCursors('a secret').read(query, cursor)).toBe(place);
  }
});

test('a cursor with any bit changed is refused, with a remedy', () => {
  const cursor = cursors.write(query, 7);
  const bytes = Buffer.from(cursor, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => cursors.read(query, changed.toString('base64url'))).toThrow('Begin again without a cursor');
  }
});

test.each([
  '',
  'x',
  '7',
  `${cursors.write(query, 7)}A`,
  `${cursors.write(query, 7)}=`,
  cursors.write(query, 7).slice(1),
])('what is no cursor is refused: %j', (text) => {
  expect(() => cursors.read(query, text)).toThrow(
    expect.objectContaining({ code: 'invalid_request', param: 'cursor' }) as Error,
  );
});

test('a cursor of another query, or of another relay, is refused', () => {
  const cursor = cursors.write(query, 7);
  expect(() => cursors.read({ ...query, model: 'm' }, cursor)).toThrow('of another query');
  expect(() => cursors.read({ ...query, payer: '0x02' }, cursor)).toThrow('of another query');
  expect(() => createCursors('another').read(query, cursor)).toThrow('not given by this relay');
});
