import { expect, test } from 'vitest';
import { hashTypedData } from 'viem';
import { toHex } from '../bytes/hex.ts';
import { receiptDomainSeparator } from './receipt-batch.ts';
import { logCheckpointDigest, logCheckpointTypes } from './log-checkpoint.ts';

test('has the digest that EIP-712 says', () => {
  const verifyingContract = `0x${'aa'.repeat(20)}` as const;
  const separator = receiptDomainSeparator({ chainId: 8453, verifyingContract });
  for (const size of [0, 1, 2 ** 53 - 1]) {
    const checkpoint = { origin: 'eip155/8453/0xaa ☂', size, root: Buffer.alloc(32, size % 256), signedAtMs: 1.7e12 };
    const digest = hashTypedData({
      domain: { name: 'AutoPayLLM', version: '1', chainId: 8453, verifyingContract },
      types: logCheckpointTypes,
      primaryType: 'LogCheckpoint',
      message: {
        ...{ origin: checkpoint.origin, root: toHex(checkpoint.root) },
        ...{ size: BigInt(size), signedAtMs: BigInt(checkpoint.signedAtMs) },
      },
    });
    expect(toHex(logCheckpointDigest(separator, checkpoint))).toBe(digest);
  }
});
