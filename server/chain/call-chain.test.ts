import { CallExecutionError, RawContractError, toFunctionSelector } from 'viem';
import { expect, test } from 'vitest';
import { callChain } from './call-chain.ts';

test.each(['out of gas', 'Transaction ran out of gas', 'EVM error OutOfGas'])(
  'gas that ran out is a refusal: %s',
  async (message) => {
    const cause = new CallExecutionError(new RawContractError({ message }), {});
    const refused = expect.objectContaining({ code: 'transaction_reverted', facts: { contractError: 'OutOfGas' } });
    await expect(callChain('a signature', () => Promise.reject(cause))).rejects.toThrow(refused);
  },
);

test.each([
  ['PaymentDesk_ZeroAddress()', 'PaymentDesk_ZeroAddress'],
  ['InvalidContractSignature()', '0xb0669cbc'],
])('a refusal by %s is told as %s', async (signature, contractError) => {
  const cause = new CallExecutionError(new RawContractError({ data: toFunctionSelector(signature) }), {});
  const refused = expect.objectContaining({
    code: 'transaction_reverted',
    facts: expect.objectContaining({ contractError }),
  });
  await expect(callChain('a settlement', () => Promise.reject(cause))).rejects.toThrow(refused);
});
