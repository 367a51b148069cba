import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { readVectors } from '../protocol/vectors/read-vectors.ts';
import { signVoucher } from '../protocol/typed-data/sign-voucher.ts';

it('signs the vouchers of the shared vectors, byte for byte', () => {
  const { scope, vouchers } = readVectors();
  const privateKey = createHash('sha256').update('autopay test vector key').digest();
  for (const { channelId, cumulativeAmount, signature } of vouchers) {
    const voucher = { channelId, cumulativeAmount: BigInt(cumulativeAmount) };
    const options = { scope: { chainId: scope.chainId, verifyingContract: scope.escrow }, privateKey };
    expect(signVoucher(voucher, options).signature).toBe(signature);
  }
});
