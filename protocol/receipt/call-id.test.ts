import { expect, test } from 'vitest';
import { createCallId, firstCallIdAt, formatCallId, isCallId, parseCallId } from './call-id.ts';

const id = '019b1c2d-3e4f-7a5b-8c6d-7e8f90a1b2c3';

test('a call id is its 16 bytes, and says when it was made', () => {
  expect(parseCallId(id).toString('hex')).toBe('019b1c2d3e4f7a5b8c6d7e8f90a1b2c3');
  expect(formatCallId(parseCallId(id))).toBe(id);
  const made = createCallId(0x0123456789ab);
  expect(made.slice(0, 15)).toBe('01234567-89ab-7');
  expect(formatCallId(parseCallId(made))).toBe(made);
});

test('ids of before a time are below its first one, and all others above', () => {
  for (const timeMs of [0, 1, 1_700_000_000_000, 2 ** 48 - 1]) {
    const first = firstCallIdAt(timeMs);
    expect(Buffer.compare(parseCallId(createCallId(timeMs)), first)).toBe(1);
    if (timeMs > 0) expect(Buffer.compare(parseCallId(createCallId(timeMs - 1)), first)).toBe(-1);
  }
});

test.each([
  ['upper case', id.toUpperCase()],
  ['another version', id.replace('-7a5b', '-4a5b')],
  ['another variant', id.replace('-8c6d', '-cc6d')],
  ['no dashes', id.replaceAll('-', '')],
  ['a dash elsewhere', id.replace('2d-', '-2d')],
  ['no hex', id.replace('c3', 'cg')],
  ['not ASCII', id.replace('c3', 'c٣')],
  ['more behind it', `${id}\n`],
  ['nothing', ''],
])('is none: %s', (_, text) => {
  expect(isCallId(text)).toBe(false);
  expect(() => parseCallId(text)).toThrow('A call id is a lower-case UUIDv7');
});
