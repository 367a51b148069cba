import { TransactionReceiptNotFoundError, type TransactionReceipt } from 'viem';
import { expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { QueuedTransaction } from '../ledger/background-ledger.ts';
import { createConfirmer } from './confirm-transactions.ts';
import type { ChainClient } from './create-chain-client.ts';

const address: Hex = `0x${'aa'.repeat(20)}`;
const hashOf = (id: number): Hex => `0x${id.toString(16).padStart(64, '0')}`;

function transaction(id: number, changes: Partial<QueuedTransaction> = {}): QueuedTransaction {
  const attempts = [{ hash: hashOf(id), raw: '0x00' as const, signedAtMs: 1 }];
  return { id, purpose: `pay:${id}`, account: address, nonce: id, attempts, status: 'succeeded', ...changes };
}

/** `fates` are those of ids; of others there is no receipt. */
function createSubject(fates: Record<number, TransactionReceipt['status']>, stored: QueuedTransaction[] = []) {
  const asked: Hex[] = [];
  const client = {
    getTransactionReceipt: ({ hash }: { hash: Hex }) => {
      asked.push(hash);
      const status = fates[Number(hash)];
      if (status === undefined) throw new TransactionReceiptNotFoundError({ hash });
      return Promise.resolve({ status });
    },
  };
  const confirmer = createConfirmer({
    client: {
      ...client,
      getTransactionReceipt: (argument: { hash: Hex }) =>
        Promise.resolve().then(() => client.getTransactionReceipt(argument)),
    } as unknown as ChainClient,
    ledger: { findTransaction: ({ nonce }) => Promise.resolve(stored.find((known) => known.nonce === nonce)) },
    address,
    confirmedAfterBlocks: 10,
  });
  const look = async (blockNumber: bigint, nextNonce = 0) => {
    const view = { atMs: 1, blockNumber, nextNonce, baseFee: 1n, priorityFee: 1n };
    return (await confirmer.findUndone(view)).map(({ id }) => id);
  };
  return { confirmer, look, asked };
}

test('a success is looked at once, when it is old enough', async () => {
  const { asked, confirmer, look } = createSubject({ 1: 'success' });
  confirmer.note(transaction(1, { status: 'signed' }), 100n);
  expect([await look(109n), asked]).toEqual([[], []]);
  expect([await look(110n), asked]).toEqual([[], [hashOf(1)]]);
  expect([await look(111n), asked]).toEqual([[], [hashOf(1)]]);
});

test('one that is in no block, or failed in another, is undone', async () => {
  const { confirmer, look } = createSubject({ 1: 'success', 2: 'reverted' });
  for (const id of [1, 2, 3]) confirmer.note(transaction(id), 100n);
  expect(await look(200n)).toEqual([2, 3]);
  expect(await look(200n)).toEqual([]);
});

test('the newest of an earlier process are looked at too, from now on', async () => {
  const stored = [transaction(1), transaction(2, { status: 'reverted' }), transaction(3), transaction(90)];
  const { look } = createSubject({ 90: 'success' }, stored);
  // Of 91 nonces the first 27 are not asked for.
  expect(await look(500n, 91)).toEqual([]);
  expect(await look(510n, 91)).toEqual([]);
  const fresh = createSubject({}, stored);
  expect(await fresh.look(500n, 10)).toEqual([]);
  expect(await fresh.look(510n, 10)).toEqual([1, 3]);
});
