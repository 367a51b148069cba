import { describe, expect, it } from 'vitest';
import { fakeDeployment } from '../client/testing/fake-deployment.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { formatPrices } from './format-prices.ts';

const deployment = fakeDeployment();
const [usdc, agpt] = [deployment.tokens['USDC']!.address, deployment.tokens['AGPT']!.address];
const plain = plainPrices(150_000n, 600_000n);
const lineOf = (row: PriceRow) => formatPrices(deployment, [row]).split('\n')[1]?.trim().split(/ {2,}/);

describe('a price table that is voted on', () => {
  it('names model, token and the prices of the wholes', () => {
    const row = { model: 'm', token: usdc, inUsd: false, ...plain };
    expect(lineOf(row)).toEqual(['m', 'USDC', '0.15 USDC', '0.6 USDC', '0 USDC']);
    expect(lineOf({ ...row, token: agpt, inUsd: true })).toEqual(['m', 'AGPT', '0.0015 USD', '0.006 USD', '0 USD']);
  });

  it.each([
    ['cachedPrompt', 'cached prompt'],
    ['cacheWrite', 'cache write'],
    ['audioPrompt', 'audio prompt'],
    ['audioCompletion', 'audio completion'],
  ] as const)('shows a price of its own for the part %s', (part, name) => {
    const row = { model: 'm', token: usdc, inUsd: false, ...plain, [part]: 9_000_000n };
    expect(lineOf(row)?.at(-1)).toBe(`${name} 9 USDC`);
  });

  it('shows several of them, and that one is free', () => {
    const row = { model: 'm', token: usdc, inUsd: false, ...plain, cachedPrompt: 0n, audioCompletion: 1n };
    expect(lineOf(row)?.at(-1)).toBe('cached prompt 0 USDC, audio completion 0.000001 USDC');
  });
});
