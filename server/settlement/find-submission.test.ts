import type { TransactionReceipt } from 'viem';
import { expect, test } from 'vitest';
import { findSubmission, type SubmissionReader } from './find-submission.ts';
import { fakeChain, signedPayment, token, type ChainWorld } from './settlement-fixture.ts';

const now = 1_800_000_000;
const chargedAtMs = now * 1_000 - 60_000;

/** A chain with a block in each second up to now, on which somebody brought the payment in `block`, or nobody did. */
function chain(head: bigint, block?: bigint): SubmissionReader {
  const world: ChainWorld = {
    ...{ balance: 0n, allowance: 0n, isUsed: true, received: 0n, arrives: 0n, code: undefined, isPayable: false },
    ...{ isDown: false, isLongAgo: false, submission: 'to the desk' },
  };
  const reader = {
    ...fakeChain(world),
    getBlockNumber: () => Promise.resolve(head),
    getBlock: ({ blockNumber }: { blockNumber: bigint }) =>
      Promise.resolve({ timestamp: BigInt(now) - (head - blockNumber) }),
    getContractEvents: ({ fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint }) => {
      const isThere = block !== undefined && fromBlock <= block && block <= toBlock;
      return Promise.resolve(isThere ? [{ transactionHash: submission }] : []);
    },
  };
  return reader as unknown as SubmissionReader & { getTransactionReceipt: () => Promise<TransactionReceipt> };
}

const submission = `0x${'77'.repeat(32)}`;

function find(client: SubmissionReader, maxBlocksPerQuery: number, charged = chargedAtMs) {
  const desk = signedPayment().recipient;
  return findSubmission({ client, desk, maxBlocksPerQuery }, { ...signedPayment(), token, chargedAtMs: charged });
}

test('is found as far back as twenty queries go', async () => {
  expect(await find(chain(1_000_000n, 990_000n), 1_000)).toBe(submission);
  expect(await find(chain(1_000_000n, 980_001n), 1_000)).toBe(submission);
});

test('is not there, if the blocks since its call were looked at, or all there are', async () => {
  expect(await find(chain(1_000_000n), 1_000)).toBeUndefined();
  expect(await find(chain(500n), 100)).toBeUndefined();
});

test('is unknown where they were not: its payer is not blamed', async () => {
  // 200 seconds, and the call may have begun an hour ago.
  expect(await find(chain(1_000_000n), 10)).toBe('unknown');
  const days = 3 * 86_400_000;
  expect(await find(chain(1_000_000n, 500_000n), 1_000, chargedAtMs - days)).toBe('unknown');
});
