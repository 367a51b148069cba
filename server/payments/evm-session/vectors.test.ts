import { expect, it } from 'vitest';
import { readVectors } from '../../../protocol/vectors/read-vectors.ts';
import { startVoucherRecoverer } from './recover-vouchers.ts';

it('recovers the signers of the shared vectors, in its thread', async () => {
  const { scope, vouchers } = readVectors();
  const recoverer = startVoucherRecoverer({
    scope: { chainId: scope.chainId, verifyingContract: scope.escrow },
    onFatal: (error) => expect.unreachable(String(error)),
  });
  const signers = await Promise.all(
    vouchers.map(({ channelId, cumulativeAmount, signature }) =>
      recoverer.recover({ channelId, cumulativeAmount: BigInt(cumulativeAmount), signature }),
    ),
  );
  await recoverer.close();
  expect(signers).toEqual(vouchers.map(() => scope.signer));
});
