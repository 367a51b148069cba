import { expect, test } from 'vitest';
import { parsePriceCeiling, priceCeilingPattern, shiftDecimal } from './parse-price-ceiling.ts';

test.each([
  ['0.12 AGPT/1k tokens', '120', 'AGPT'],
  ['0.0085 AGPT/1k tokens', '8.5', 'AGPT'],
  ['3 USD / 1M tokens', '3', 'USD'],
  ['3 USDC/1,000,000 tokens', '3', 'USDC'],
  ['1 USDC/1,000 token', '1000', 'USDC'],
])('%s', (text, perMillion, symbol) => {
  expect(text).toMatch(priceCeilingPattern);
  expect(parsePriceCeiling(text)).toEqual({ perMillion, symbol });
});

test.each(['0.12', '0.12 AGPT', '-1 AGPT/1k tokens', 'AGPT 1/1k tokens', '1 AGPT/2k tokens', '01 AGPT/1k tokens'])(
  '%s is none',
  (text) => expect(text).not.toMatch(priceCeilingPattern),
);

test('the point moves exactly, either way', () => {
  expect(shiftDecimal('0.00000015', 6)).toBe('0.15');
  expect(shiftDecimal('2.5', 6)).toBe('2500000');
  expect(shiftDecimal('15', -3)).toBe('0.015');
  expect(shiftDecimal('0.123456789', 3)).toBe('123.456789');
  expect(shiftDecimal('100', -2)).toBe('1');
  expect(shiftDecimal('0', 6)).toBe('0');
});
