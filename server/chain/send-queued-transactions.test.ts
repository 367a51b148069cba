import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createWalletClient, encodeFunctionData, http, keccak256 } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { openLedger } from '../ledger/open-ledger.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { createFaultInjector } from '../../test/support/inject-faults.ts';
import { openTestRelay, silentLog, type TestRelay } from '../../test/support/open-test-relay.ts';
import { createTransactionQueue, isReverted, type TransactionQueueOptions } from './send-queued-transactions.ts';
import type { SendingPlan } from './sending-relay.ts';

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

/** Lets a process of its own send, and kills it after so many successes. Returns how many it had then. */
async function killWhileSending(plan: SendingPlan, successes: number): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('sending-relay.ts', import.meta.url))], {
    env: { ...process.env, AUTOPAY_TEST_SENDING: JSON.stringify(plan) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let count = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    count += chunk.toString().split('\n').length - 1;
    if (count >= successes) child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return count;
}

const nonceOnChain = () => relay.client.getTransactionCount({ address: stack.relay });

/** Names that the contract says were registered since a block, each as often as it says so. */
async function registeredSince(fromBlock: bigint): Promise<string[]> {
  const events = await relay.client.getContractEvents({
    ...{
      address: stack.contracts.autoPayLLM,
      abi: autoPayLlmAbi,
      eventName: 'NameRegistered',
      fromBlock,
      strict: true,
    },
  });
  return events.map(({ args }) => args.name);
}

describe('the transaction queue', () => {
  it(
    'sends 200 jobs at once, each once, on a chain that makes a block now and then',
    { timeout: 120_000 },
    async () => {
      const before = await nonceOnChain();
      const block = await relay.client.getBlockNumber();
      const names = Array.from({ length: 200 }, (_, at) => `parallel-${at}`);
      await stack.chain.request('evm_setAutomine', [false]);
      await stack.chain.request('evm_setIntervalMining', [100]);
      try {
        const receipts = await Promise.all(names.map((name) => relay.queue.send(register(name))));
        expect(new Set(receipts.map(({ transactionHash }) => transactionHash)).size).toBe(200);
        // Several share a block: nobody waited for the one before.
        expect(new Set(receipts.map(({ blockNumber }) => blockNumber)).size).toBeLessThan(100);
      } finally {
        await stack.chain.request('evm_setIntervalMining', [0]);
        await stack.chain.request('evm_setAutomine', [true]);
      }
      expect((await registeredSince(block + 1n)).sort()).toEqual(names.toSorted());
      expect(await nonceOnChain()).toBe(before + 200);
    },
  );

  it('is taken up after kill -9 in the middle of many, each job once', { timeout: 120_000 }, async () => {
    const before = await nonceOnChain();
    const block = await relay.client.getBlockNumber();
    const names = Array.from({ length: 60 }, (_, at) => `killed-${at}`);
    const { dataDir } = relay;
    await relay.ledger.close();
    await stack.chain.request('evm_setAutomine', [false]);
    await stack.chain.request('evm_setIntervalMining', [50]);
    try {
      const { contracts, chain, relayKey } = stack;
      const plan: SendingPlan = {
        ...{ dataDir, rpcUrl: chain.rpcUrl, chainId: chain.chainId, relayKey: toHex(relayKey) },
        ...{ autoPayLLM: contracts.autoPayLLM, requests: names.map(register) },
      };
      expect(await killWhileSending(plan, 5)).toBeLessThan(60);
      const ledger = await openLedger({
        ...{ dataDir, chainId: chain.chainId, receiptKey: relayKey },
        receiptScope: { chainId: chain.chainId, verifyingContract: contracts.autoPayLLM },
      });
      try {
        const queue = queueWith({ ledger });
        await queue.resume();
        await Promise.all(names.map((name) => queue.send(register(name))));
        expect(await ledger.listUnfinishedTransactions(stack.relay)).toEqual([]);
      } finally {
        await ledger.close();
      }
    } finally {
      await stack.chain.request('evm_setIntervalMining', [0]);
      await stack.chain.request('evm_setAutomine', [true]);
    }
    expect((await registeredSince(block + 1n)).sort()).toEqual(names.toSorted());
    expect(await nonceOnChain()).toBe(before + 60);
  });

  it('sends parallel jobs in order, each once', async () => {
    const before = await nonceOnChain();
    const names = ['a', 'b', 'c'];
    const receipts = await Promise.all(names.map((name) => relay.queue.send(register(name))));
    expect(receipts.map((receipt) => receipt.status)).toEqual(['success', 'success', 'success']);
    const again = await relay.queue.send(register('a'));
    expect(again.transactionHash).toBe(receipts[0]?.transactionHash);
    expect(await nonceOnChain()).toBe(before + 3);
    expect(await relay.ledger.listUnfinishedTransactions(stack.relay)).toEqual([]);
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
    const attempt = { hash: keccak256(raw), raw, signedAtMs: Date.now() };
    await relay.ledger.enqueueTransaction({ purpose: 'register:too-little-gas', account: stack.relay, nonce, attempt });
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
