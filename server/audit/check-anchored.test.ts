import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../../protocol/bytes/hex.ts';
import { cidOfBlock } from '../../protocol/log/batch-block.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { openTestRelay, type TestRelay } from '../../test/support/open-test-relay.ts';
import { checkAnchored, type CheckAnchoredOptions } from './check-anchored.ts';
import { runAnchoring } from './run-anchoring.ts';

let stack: ChainStack;
let relay: TestRelay;
beforeAll(async () => {
  stack = await deployStack();
  relay = await openTestRelay(stack);
  const { usdc: token } = stack.contracts;
  for (let count = 0; count < 3; count += 1) {
    await chargeCall({ ledger: relay.ledger, channel: null, amount: 0n, token });
    if (count === 0) await runAnchoring(relay.deps());
  }
  await runAnchoring(relay.deps());
  // The log goes on beyond the anchor.
  await chargeCall({ ledger: relay.ledger, channel: null, amount: 0n, token });
  await relay.tree.update();
});
afterAll(async () => {
  await relay?.close();
  await stack?.stop();
});

const check = (changes: Partial<CheckAnchoredOptions> = {}) => {
  const { client, ledger, tree } = relay;
  const { auditLog } = stack.contracts;
  return checkAnchored({ client, auditLog, deployedAtBlock: 0, maxBlocksPerQuery: 2, tree, ledger, ...changes });
};
/** Books that were copied before the last anchor, and went on from there. */
const older = { findAnchorOf: () => Promise.resolve(undefined) };

test('a log that begins with what was anchored is the same, whether the ledger knows the transaction or not', async () => {
  expect(relay.tree.size()).toBe(4);
  await expect(check()).resolves.toBeUndefined();
  const findBlock = (size: number) => relay.ledger.findBlock(size);
  await expect(check({ ledger: { ...older, findBlock } })).resolves.toBeUndefined();
  const unknown = { findAnchorOf: async () => ({ size: 3, transactionHash: toHex(Buffer.alloc(32, 1)) }), findBlock };
  await expect(check({ ledger: unknown })).resolves.toBeUndefined();
});

test('one that is shorter was put back to before the anchor', async () => {
  const tree = { size: () => 2, root: (size: number) => relay.tree.root(size) };
  await expect(check({ tree })).rejects.toMatchObject({ code: 'log_rolled_back', facts: { size: 2, signed: 3 } });
});

test('one that is as long, or longer, and has another root was put back too, and went on', async () => {
  for (const size of [3, 4, 1_000]) {
    const tree = { size: () => size, root: () => Promise.resolve(Buffer.alloc(32, 9)) };
    const forked = { code: 'log_forked', facts: { size: 3 } };
    await expect(check({ tree })).rejects.toMatchObject(forked);
    await expect(check({ tree, ledger: { ...older, findBlock: async () => undefined } })).rejects.toMatchObject(forked);
  }
});

test('one whose entries are the same, and whose block is another or not there, is of older books', async () => {
  const block = await relay.ledger.findBlock(3);
  if (!block) throw new Error('the anchored block is not in the ledger');
  const other = { ...block, cid: cidOfBlock(Buffer.from('other')).toString() };
  for (const found of [other, undefined]) {
    const ledger = { ...older, findBlock: async () => found };
    await expect(check({ ledger })).rejects.toMatchObject({
      code: 'log_rolled_back',
      message: expect.stringContaining(block.cid),
    });
  }
});

test('an endpoint that has no event of the anchor shows nothing', async () => {
  const ledger = { ...older, findBlock: (size: number) => relay.ledger.findBlock(size) };
  const getContractEvents = (async () => []) as unknown as CheckAnchoredOptions['client']['getContractEvents'];
  const { client } = relay;
  const forgetful: CheckAnchoredOptions['client'] = {
    readContract: (parameters) => client.readContract(parameters),
    getTransactionReceipt: (parameters) => client.getTransactionReceipt(parameters),
    getBlockNumber: () => client.getBlockNumber(),
    getContractEvents,
  };
  await expect(check({ ledger, client: forgetful })).rejects.toMatchObject({ code: 'chain_unavailable' });
});
