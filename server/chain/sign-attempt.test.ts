import { keccak256, parseTransaction, recoverTransactionAddress, type TransactionSerializedEIP1559 } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { expect, test } from 'vitest';
import { readFees, signAttempt, signReplacement } from './sign-attempt.ts';

const account = privateKeyToAccount(`0x${'7'.repeat(64)}`);
const signer = { account, chainId: 31_337 };
const to = '0x00000000000000000000000000000000000000aa';
const raised = { maxFeePerGas: 20n, maxPriorityFeePerGas: 2n };

test.each([0, 5])('a replacement differs in its fees only (nonce %i)', async (nonce) => {
  const call = { nonce, to, data: '0x1234', gas: 50_000n } as const;
  const first = await signAttempt(signer, call, { maxFeePerGas: 10n, maxPriorityFeePerGas: 0n });
  expect(first.hash).toBe(keccak256(first.raw));
  expect(readFees(first)).toEqual({ maxFeePerGas: 10n, maxPriorityFeePerGas: 0n });
  const second = await signReplacement(signer, first, raised);
  const raw = second.raw as TransactionSerializedEIP1559;
  expect(parseTransaction(raw)).toMatchObject({
    ...(nonce > 0 && { nonce }),
    to,
    data: '0x1234',
    gas: 50_000n,
    ...raised,
  });
  expect(parseTransaction(raw).chainId).toBe(31_337);
  expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(account.address);
  expect(second.raw).toBe((await signAttempt(signer, call, raised)).raw);
});
