import { rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeFunctionData, parseTransaction } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { FakeNode } from '../chain/fake-node.ts';
import { createTransactionQueue, type TransactionQueue } from '../chain/send-queued-transactions.ts';
import { testKey, testScope, testToken } from '../ledger/ledger-fixtures.ts';
import { openLedger, type RelayLedger } from '../ledger/open-ledger.ts';
import { createBlockStore } from './block-store.ts';
import { runAnchoring } from './run-anchoring.ts';

const account = privateKeyToAccount(`0x${'5'.repeat(64)}`);
const auditLog: Hex = `0x${'a1'.repeat(20)}`;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

let folder: string;
let ledger: RelayLedger;
let node: FakeNode;
let stopping: AbortController;
let miner: NodeJS.Timeout;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-anchors-'));
  const { chainId } = testScope;
  ledger = await openLedger({ dataDir: folder, chainId, receiptScope: testScope, receiptKey: testKey });
  node = new FakeNode();
  stopping = new AbortController();
  miner = setInterval(() => node.mine(), 5);
});
afterEach(async () => {
  clearInterval(miner);
  stopping.abort();
  await sleep(5);
  await ledger.close();
  await rm(folder, { recursive: true, force: true });
});

/** As of one process of the relay. */
function openQueue(): TransactionQueue {
  return createTransactionQueue({
    ...{ client: node.client(), ledger, account, chainId: testScope.chainId, log: silent, signal: stopping.signal },
    ...{ pollingIntervalMs: 2, rebroadcastAfterMs: 20, fillGapAfterMs: 20, confirmedAfterBlocks: 3 },
  });
}

const deps = (queue: TransactionQueue) => ({
  ...{ ledger, queue, auditLog, log: silent },
  blocks: createBlockStore(join(folder, 'blocks')),
});
const freeCall = () => chargeCall({ ledger, channel: null, amount: 0n, token: testToken });

/** Sizes that were anchored, as the blocks of the chain have them now. */
function anchoredSizes(raw: Map<Hex, Hex>): bigint[] {
  return node.mined.map((hash) => {
    const { data = '0x' } = parseTransaction(raw.get(hash) as `0x02${string}`);
    return decodeFunctionData({ abi: auditLogAbi, data }).args[0] as bigint;
  });
}

test('anchors whose blocks vanish are sent again, the same and in their order, whoever runs by then', async () => {
  const raw = new Map<Hex, Hex>();
  const queue = openQueue();
  for (const size of [1, 2, 3]) {
    await freeCall();
    const { transactionHash } = await runAnchoring(deps(queue));
    const sent = await ledger.getTransaction(`anchor:${size}`);
    raw.set(transactionHash ?? '0x', sent?.attempts.at(-1)?.raw ?? '0x');
  }
  expect(anchoredSizes(raw)).toEqual([1n, 2n, 3n]);
  const hashes = node.mined;

  // The blocks of the second and the third anchor are replaced by others without them, and the node has forgotten both.
  clearInterval(miner);
  while (node.mined.length > 1) node.reorganise(1);
  node.forgetPool();
  miner = setInterval(() => node.mine(), 5);
  expect(anchoredSizes(raw)).toEqual([1n]);
  // The ledger has them as anchored: nothing is to be anchored anew, only to be sent again.
  expect(await runAnchoring(deps(queue))).toMatchObject({ size: 3, nothingToDo: true });
  while (node.mined.length < 3) await queue.resume();
  expect(anchoredSizes(raw)).toEqual([1n, 2n, 3n]);
  expect(node.mined).toEqual(hashes);

  // And once more, while the relay is down.
  clearInterval(miner);
  while (node.mined.length > 2) node.reorganise(1);
  node.forgetPool();
  miner = setInterval(() => node.mine(), 5);
  const restarted = openQueue();
  while (node.mined.length < 3) await restarted.resume();
  expect(node.mined).toEqual(hashes);
  await freeCall();
  expect(await runAnchoring(deps(restarted))).toMatchObject({ size: 4 });
});
