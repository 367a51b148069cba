import { expect, test } from 'vitest';
import { writeCsvRecord } from './write-csv.ts';

test('a record is written as RFC 4180 says', () => {
  expect(writeCsvRecord(['a', 1, 2n ** 80n, null, ''])).toBe(`a,1,${2n ** 80n},,\r\n`);
  expect(writeCsvRecord(['a,b', 'say "hi"', 'two\nlines', 'two\r\nlines'])).toBe(
    '"a,b","say ""hi""","two\nlines","two\r\nlines"\r\n',
  );
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])('a formula is made text: %j', (cell) => {
  const [written] = writeCsvRecord([cell, 'x']).split(',x\r\n');
  expect(written?.replaceAll('"', '')).toBe(`'${cell}`);
});

test('numbers of the relay stay numbers', () => {
  expect(writeCsvRecord([-1, -1n])).toBe('-1,-1\r\n');
});
