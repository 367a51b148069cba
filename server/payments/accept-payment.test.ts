import { expect, it } from 'vitest';
import { rankMethods } from './accept-payment.ts';
import { createFreeMethod } from './free/free-method.ts';

const names = ['evm/session', 'x402', 'evm/charge', 'key'];
const methods = names.map((name) => ({ ...createFreeMethod(), name }));
const rank = (header?: string) => rankMethods(methods, header).map(({ name }) => name);

it.each([
  ['evm/charge', ['evm/charge']],
  ['evm/*', ['evm/session', 'evm/charge']],
  ['evm/charge, evm/session', ['evm/session', 'evm/charge']],
  ['evm/session;q=0.5, evm/charge', ['evm/charge', 'evm/session']],
  ['tempo/*, evm/*;q=0.6, */charge;q=0.3', ['evm/session', 'evm/charge', 'x402', 'key']],
  ['*/*, evm/session;q=0', ['x402', 'evm/charge', 'key']],
  ['x402/exact', ['x402']],
  ['X402/*;q=0.2 ,, evm/charge;q=1.000', ['evm/charge', 'x402']],
])('%s leaves %j', (header, left) => {
  expect(rank(header)).toEqual(left);
});

it.each([
  [undefined],
  [''],
  ['tempo/charge'],
  ['*/*;q=0'],
  ['evm'],
  ['evm/charge;q=2'],
  ['evm/charge;level=1'],
  [`evm/charge, ${'x'.repeat(1_024)}/y`],
])('%s leaves everything as it is', (header) => {
  expect(rank(header)).toEqual(names);
});
