import { createWalletClient, encodeFunctionData, http, keccak256 } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { createFaultInjector } from '../../test/support/inject-faults.ts';
import { openTestRelay, silentLog, type TestRelay } from '../../test/support/open-test-relay.ts';
import { createTransactionQueue, isReverted, type TransactionQueueOptions } from './send-queued-transactions.ts';

let stack: ChainStack;
let relay: TestRelay;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  relay = await openTestRelay(stack);
});
afterEach(() => relay.close());

function register(name: string): { purpose: string; to: Hex; data: Hex } {
  const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'registerName', args: [name] });
  return { purpose: `register:${name}`, to: stack.contracts.autoPayLLM, data };
}

function queueWith(overrides: Partial<TransactionQueueOptions>) {
  const account = privateKeyToAccount(toHex(stack.relayKey));
  const { ledger, client } = relay;
  return createTransactionQueue({
    client,
    ledger,
    account,
    chainId: 31337,
    log: silentLog,
    pollingIntervalMs: 20,
    ...overrides,
  });
}

const nonceOnChain = () => relay.client.getTransactionCount({ address: stack.relay });

describe('the transaction queue', () => {
  it('sends parallel jobs in order, each once', async () => {
    const before = await nonceOnChain();
    const names = ['a', 'b', 'c'];
    const receipts = await Promise.all(names.map((name) => relay.queue.send(register(name))));
    expect(receipts.map((receipt) => receipt.status)).toEqual(['success', 'success', 'success']);
    const again = await relay.queue.send(register('a'));
    expect(again.transactionHash).toBe(receipts[0]?.transactionHash);
    expect(await nonceOnChain()).toBe(before + 3);
    expect(await relay.ledger.listUnfinishedTransactions()).toEqual([]);
  });

  it('surfaces a refusal with its reason before anything is signed', async () => {
    const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'registerName', args: [''] });
    const sending = relay.queue.send({ ...register(''), data });
    await expect(sending).rejects.toMatchObject({
      code: 'transaction_reverted',
      message: expect.stringContaining('AutoPayLLM_NameLength(0, 128)'),
    });
    expect(await relay.ledger.getTransaction('register:')).toBeUndefined();
  });

  it('takes up what was signed before a crash, wherever that was, without a second transaction', async () => {
    const counting = createFaultInjector();
    await relay.deps(counting).queue.send(register('counted'));
    expect(counting.steps).toContain('sendRawTransaction');
    for (let at = 0; at < counting.steps.length; at += 1) {
      for (const moment of ['before', 'after'] as const) {
        const before = await nonceOnChain();
        const job = register(`crash-${at}-${moment}`);
        await expect(relay.deps(createFaultInjector({ at, moment })).queue.send(job)).rejects.toThrow();
        const receipt = await queueWith({}).send(job);
        expect(receipt.status, `${counting.steps[at]} ${moment}`).toBe('success');
        expect(await nonceOnChain(), `${counting.steps[at]} ${moment}`).toBe(before + 1);
      }
    }
  });

  it('broadcasts after a restart what nobody asks for any more', async () => {
    const crash = createFaultInjector({ at: 1, moment: 'after' });
    await expect(relay.deps(crash).queue.send(register('resumed'))).rejects.toThrow();
    await queueWith({}).resume();
    expect(await relay.ledger.getTransaction('register:resumed')).toMatchObject({ status: 'succeeded' });
  });

  it('reads the status: a transaction that fails in its block is reverted for good', async () => {
    const { queue } = relay;
    const account = privateKeyToAccount(toHex(stack.relayKey));
    const nonce = await nonceOnChain();
    // Signed with too little gas for its execution, as if the state had changed since the estimate.
    const raw = await account.signTransaction({
      ...{
        type: 'eip1559',
        chainId: 31337,
        nonce,
        to: stack.contracts.autoPayLLM,
        data: register('too-little-gas').data,
      },
      ...{ gas: 30_000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n },
    });
    await relay.ledger.enqueueTransaction({ purpose: 'register:too-little-gas', nonce, hash: keccak256(raw), raw });
    const error: unknown = await queue.send(register('too-little-gas')).catch((thrown: unknown) => thrown);
    expect(isReverted(error)).toBe(true);
    // The purpose is free again.
    await expect(queue.send(register('too-little-gas'))).resolves.toMatchObject({ status: 'success' });
  });

  it('gives up a nonce that something else used, once that is buried', async () => {
    const crash = createFaultInjector({ at: 0, moment: 'after' });
    await expect(relay.deps(crash).queue.send(register('replaced'))).rejects.toThrow();
    const wallet = createWalletClient({
      account: privateKeyToAccount(toHex(stack.relayKey)),
      transport: http(stack.chain.rpcUrl),
    });
    await wallet.sendTransaction({ chain: null, to: stack.payer, value: 1n });
    const patient = queueWith({ replacedAfterBlocks: 4, receiptTimeoutMs: 200 });
    await expect(patient.send(register('replaced'))).rejects.toMatchObject({ code: 'chain_unavailable' });
    await stack.chain.mine(5);
    await expect(patient.send(register('replaced'))).rejects.toMatchObject({ code: 'transaction_reverted' });
    await expect(patient.send(register('replaced'))).resolves.toMatchObject({ status: 'success' });
  });

  it('says that the account cannot pay, and keeps the job', async () => {
    await stack.chain.request('hardhat_setBalance', [stack.relay, '0x0']);
    try {
      await expect(relay.queue.send(register('poor'))).rejects.toMatchObject({ code: 'transaction_failed' });
    } finally {
      await stack.chain.request('hardhat_setBalance', [stack.relay, '0xde0b6b3a7640000']);
    }
    await expect(relay.queue.send(register('poor'))).resolves.toMatchObject({ status: 'success' });
  });
});
