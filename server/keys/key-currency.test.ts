import { describe, expect, it } from 'vitest';
import { createKeyCurrency, type KeyToken } from './key-currency.ts';

const usdc: KeyToken = { symbol: 'USDC', address: '0x01', decimals: 6, oracle: false, currencyUnit: 1_000_000n };
const agpt: KeyToken = { ...usdc, symbol: 'AGPT', decimals: 18, currencyUnit: 100n * 10n ** 18n };
const weth: KeyToken = { ...usdc, symbol: 'WETH', decimals: 18, oracle: true, currencyUnit: 100_000_000n };

describe('amounts of the price currency', () => {
  const currency = createKeyCurrency(() => null);

  it('become atomic units exactly, and what is smaller than one is dropped', () => {
    expect(currency.toToken(2.5, usdc)).toBe(2_500_000n);
    expect(currency.toToken('2.5', usdc)).toBe(2_500_000n);
    expect(currency.toToken(0.1 + 0.2, agpt)).toBe(30_000_000_000_000_004_000n);
    expect(currency.toToken(1e-7, agpt)).toBe(10n ** 13n);
    expect(currency.toToken(1e21, usdc)).toBe(10n ** 27n);
    expect(currency.toToken(0.0000019, usdc)).toBe(1n);
    expect(currency.toToken(0, usdc)).toBe(0n);
  });

  it('are refused where they are none', () => {
    for (const amount of [-1, NaN, Infinity, '', '1,5', '0x10', '1e99', 1e40]) {
      expect(() => currency.toToken(amount, usdc), String(amount)).toThrow(
        expect.objectContaining({ code: 'invalid_request' }),
      );
    }
  });

  it('are told of tokens as numbers', () => {
    expect(currency.fromToken(2_500_000n, usdc)).toBe(2.5);
    expect(currency.fromToken(10n ** 18n, agpt)).toBe(0.01);
  });

  it('go by the price of the moment where an oracle makes it', () => {
    const priced = createKeyCurrency(() => ({ answer: 2_000n * 10n ** 8n, answerDecimals: 8, tokenDecimals: 18 }));
    expect(priced.toToken(10, weth)).toBe(5n * 10n ** 15n);
    expect(priced.fromToken(5n * 10n ** 15n, weth)).toBe(10);
    const blind = createKeyCurrency(() => undefined);
    expect(() => blind.toToken(10, weth)).toThrow(expect.objectContaining({ code: 'price_unavailable' }));
    expect(blind.fromToken(1n, weth)).toBeNull();
  });
});
