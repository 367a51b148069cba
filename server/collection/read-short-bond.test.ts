import { encodeErrorResult, RpcRequestError } from 'viem';
import { expect, test } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { callChain } from '../chain/call-chain.ts';
import { readShortBond } from './read-short-bond.ts';

const token = `0x${'ab'.repeat(20)}` as const;

/** What `callChain` makes of a node's answer that a call reverted with `data`. */
function refusal(data: `0x${string}`): Promise<unknown> {
  const error = { code: 3, message: 'execution reverted', data };
  return callChain('a test', () => Promise.reject(new RpcRequestError({ body: {}, error, url: 'http://x' }))).catch(
    (thrown: unknown) => thrown,
  );
}

test('reads what the bond lacks from the contract’s own error', async () => {
  const data = encodeErrorResult({
    abi: autoPayLlmAbi,
    errorName: 'AutoPayLLM_BondTooLow',
    args: [token, 2n, 2n ** 90n],
  });
  expect(readShortBond(await refusal(data))).toBe(2n ** 90n - 2n);
});

test('takes no other error for it', async () => {
  const data = encodeErrorResult({
    abi: autoPayLlmAbi,
    errorName: 'AutoPayLLM_ExceedsUnbooked',
    args: [token, 2n, 1n],
  });
  expect(readShortBond(await refusal(data))).toBeUndefined();
  expect(readShortBond(await refusal('0x12345678'))).toBeUndefined();
  expect(readShortBond(new Error('AutoPayLLM_BondTooLow'))).toBeUndefined();
});
