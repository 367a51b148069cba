import { describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { chooseToken, type TokenChoice } from './choose-token.ts';

const usdc: Hex = `0x${'c1'.repeat(20)}`;
const agpt: Hex = `0x${'a9'.repeat(20)}`;
const other: Hex = `0x${'00'.repeat(20)}`;
const tokens = [
  { symbol: 'USDC', address: usdc, decimals: 6 },
  { symbol: 'AGPT', address: agpt, decimals: 18 },
];

async function choose(changes: Partial<TokenChoice>): Promise<string> {
  const plain: TokenChoice = { offer: { tokens }, asked: undefined, channels: [], balanceOf: undefined };
  return (await chooseToken({ ...plain, ...changes })).symbol;
}
const holding = (held: Hex[]) => (token: Hex) => Promise.resolve(held.includes(token) ? 1n : 0n);

describe('the token to pay in', () => {
  it('is what the owner asked for, if the relay takes it', async () => {
    const asked = `0x${'A9'.repeat(20)}` as const;
    expect(await choose({ asked, channels: [{ token: usdc }], balanceOf: holding([usdc]) })).toBe('AGPT');
    await expect(choose({ asked: other })).rejects.toMatchObject({ code: 'challenge_invalid' });
  });

  it('is else what there is a channel in, in the order of the relay', async () => {
    expect(await choose({ channels: [{ token: agpt }], balanceOf: holding([usdc]) })).toBe('AGPT');
    expect(await choose({ channels: [{ token: agpt }, { token: usdc }] })).toBe('USDC');
  });

  it('is never another one than that of the channels: a relay that drops it is not sent another deposit', async () => {
    await expect(choose({ channels: [{ token: other }] })).rejects.toMatchObject({ code: 'challenge_invalid' });
  });

  it('is else the first that the wallet has any of, or the first', async () => {
    expect(await choose({ balanceOf: holding([agpt]) })).toBe('AGPT');
    expect(await choose({ balanceOf: holding([agpt, usdc]) })).toBe('USDC');
    expect(await choose({ balanceOf: holding([]) })).toBe('USDC');
    expect(await choose({})).toBe('USDC');
  });
});
