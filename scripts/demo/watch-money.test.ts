import { describe, expect, it } from 'vitest';
import { requireChange, type Money } from './watch-money.ts';

const before: Money = { payer: 1_000_000n, relayBond: 500_000_000n, held: 0n, claimantBonds: 0n, burned: 0n };

describe('what a dispute moved', () => {
  it('is shown where it is what was expected', () => {
    const said: string[] = [];
    const after = { ...before, payer: 1_000_300n, relayBond: 498_999_700n, burned: 1_000_000n };
    const expected = { payer: 300n, relayBond: -1_000_300n, burned: 1_000_000n };
    requireChange((line) => said.push(line), { before, after }, expected);
    expect(said).toEqual([
      '   payer             1.000000 USDC → 1.000300 USDC  (+0.000300 USDC)',
      "   relay's bond      500.000000 USDC → 498.999700 USDC  (-1.000300 USDC)",
      '   burned            0.000000 USDC → 1.000000 USDC  (+1.000000 USDC)',
    ]);
  });

  const say = (): void => undefined;
  it('is refused where one figure is another', () => {
    const after = { ...before, payer: 1_000_301n, relayBond: 499_999_699n };
    expect(() => requireChange(say, { before, after }, { payer: 300n, relayBond: -301n })).toThrow(
      'payer changed by 0.000301 USDC, not 0.000300 USDC',
    );
  });

  it('is refused where something moved that nobody expected', () => {
    expect(() => requireChange(say, { before, after: { ...before, held: 1n } }, {})).toThrow('held of it changed by');
  });

  it('is refused where it does not add up, whatever was expected', () => {
    const after = { ...before, payer: 1_000_300n };
    expect(() => requireChange(say, { before, after }, { payer: 300n })).toThrow('money came from nowhere');
  });
});
