import { expect, test } from 'vitest';
import { readAvailable, type StateReader } from './read-payer-state.ts';
import { payer, signedPayment } from './settlement-fixture.ts';

test.each([
  ['eip3009', 9_000n, 7_000n, 9_000n],
  ['permit2-exact', 9_000n, 7_000n, 7_000n],
  ['permit2-upto', 9_000n, 10_000n, 9_000n],
] as const)('a wallet could pay by %s, of %s with %s allowed, %s', async (kind, balance, allowance, available) => {
  const readContract = ({ functionName, args }: { functionName: string; args: readonly string[] }) => {
    expect(args[0]).toBe(payer);
    return Promise.resolve(functionName === 'balanceOf' ? balance : allowance);
  };
  expect(await readAvailable({ readContract } as unknown as StateReader, signedPayment(kind))).toBe(available);
});
