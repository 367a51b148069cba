import { encodeFunctionData } from 'viem';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { zeroAddress } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { localBudget } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { openTestRelay, silentLog, type TestRelay } from '../../test/support/open-test-relay.ts';
import { sendAs } from '../../test/support/send-as.ts';
import { createChainClient, type ChainClient } from './create-chain-client.ts';
import { createHeadReader } from './create-head-reader.ts';
import { createBudgetWatcher, type BudgetWatcher, type BudgetWatcherOptions } from './watch-budgets.ts';

const dayMs = 86_400_000;
const maxStalenessMs = 60_000;
let stack: ChainStack;
let relay: TestRelay;
/** The watchers' clock. Days are the chain's. */
let nowMs: number;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  relay = await openTestRelay(stack);
  const block = await relay.client.getBlock();
  nowMs = Number(block.timestamp) * 1_000;
});
afterEach(() => relay.close());

function watch(overrides: Partial<BudgetWatcherOptions> = {}): BudgetWatcher {
  const { contracts, chain } = stack;
  const { ledger } = relay;
  const { client = relay.client } = overrides;
  const clock = { nowMs: () => nowMs };
  const head = createHeadReader({ client, chainId: chain.chainId, maxHeadAgeSeconds: 120, log: silentLog, ...clock });
  return createBudgetWatcher({
    ...{ client, head, ledger, maxStalenessMs, log: silentLog, clock },
    ...{ reorgMarginBlocks: 12, maxBlocksPerQuery: 10_000, models: ['sim-small', 'sim-large'] },
    modelBudgets: contracts.modelBudgets,
    tokens: [contracts.usdc, contracts.agpt],
    deployedAtBlock: contracts.deployedAtBlock,
    ...overrides,
  });
}

type Vote =
  | { functionName: 'setModelBudget'; args: readonly [string, bigint] }
  | { functionName: 'removeModelBudget'; args: readonly [string] }
  | { functionName: 'setDefaultBudget'; args: readonly [bigint] }
  | { functionName: 'setAccountingRate'; args: readonly [`0x${string}`, bigint] };

/** What a vote does when it is executed; the timelock is the governance. */
function decide(vote: Vote): Promise<void> {
  const { timelock, modelBudgets } = stack.contracts;
  return sendAs(stack.chain, {
    from: timelock,
    to: modelBudgets,
    data: encodeFunctionData({ abi: modelBudgetsAbi, ...vote }),
  });
}

const codeOf = (action: () => unknown): string => {
  try {
    action();
    return 'ok';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

/** An endpoint that answers, but can keep back what was set for models. */
function keepBack(client: ChainClient): { client: ChainClient; isKeeping: boolean } {
  const kept = { client, isKeeping: false };
  kept.client = new Proxy(client, {
    get(target, property, receiver) {
      if (property !== 'getLogs' || !kept.isKeeping) return Reflect.get(target, property, receiver) as unknown;
      return async (filter: Parameters<typeof target.getLogs>[0]) => {
        const logs = await target.getLogs(filter);
        return logs.filter((event) => (event as { eventName?: string }).eventName !== 'ModelBudgetSet');
      };
    },
  });
  return kept;
}

describe('a budget watcher', () => {
  it('knows what the deployment set, and follows votes from the day on which they hold', async () => {
    const watcher = watch();
    await watcher.poll();
    const [model, token] = ['sim-small', stack.contracts.usdc];
    const today = localBudget(nowMs);
    expect(watcher.terms({ model, token, atMs: nowMs })).toEqual(today);
    expect(watcher.terms({ model, token: stack.contracts.agpt, atMs: nowMs })).toEqual({ ...today, rate: 10n ** 18n });

    await decide({ functionName: 'setModelBudget', args: [model, 5n] });
    await decide({ functionName: 'setAccountingRate', args: [token, 7n] });
    await watcher.poll();
    const tomorrow = { model, token, atMs: nowMs + dayMs };
    expect(watcher.terms({ model, token, atMs: nowMs })).toEqual(today);
    expect(watcher.terms(tomorrow)).toEqual({ day: today.day + 1, limitAgpt: 5n, rate: 7n });
    expect(watcher.terms({ ...tomorrow, model: 'other' }).limitAgpt).toBe(today.limitAgpt);

    await decide({ functionName: 'setDefaultBudget', args: [11n] });
    await decide({ functionName: 'removeModelBudget', args: [model] });
    await watcher.poll();
    expect(watcher.terms(tomorrow).limitAgpt).toBe(11n);
    await decide({ functionName: 'setAccountingRate', args: [token, 0n] });
    await watcher.poll();
    expect(codeOf(() => watcher.terms(tomorrow))).toBe('token_without_rate');
    expect(watcher.terms({ model, token, atMs: nowMs })).toEqual(today);
  });

  it('says what the contract says, for today and the days after', async () => {
    await decide({ functionName: 'setAccountingRate', args: [stack.contracts.usdc, 10n ** 31n] });
    await decide({ functionName: 'setModelBudget', args: ['sim-large', 3n] });
    const watcher = watch({ maxBlocksPerQuery: 13 });
    await watcher.poll();
    const contract = { address: stack.contracts.modelBudgets, abi: modelBudgetsAbi } as const;
    for (const model of ['sim-small', 'sim-large']) {
      for (const day of [0, 1, 2].map((ahead) => Math.floor(nowMs / dayMs) + ahead)) {
        const [limitAgpt, rate] = await Promise.all([
          relay.client.readContract({ ...contract, functionName: 'limitOf', args: [nameId(model), day] }),
          relay.client.readContract({ ...contract, functionName: 'rateOf', args: [stack.contracts.usdc, day] }),
        ]);
        const ask = { model, token: stack.contracts.usdc, atMs: day * dayMs };
        expect(watcher.terms(ask)).toEqual({ day, limitAgpt, rate });
      }
    }
  });

  it('continues where an earlier process stopped, with what that one knew', async () => {
    await watch().poll();
    const stored = Number(await relay.ledger.getState('watch_budgets.next_block'));
    const known = await relay.ledger.listBudgetChanges();
    expect(known.length).toBeGreaterThan(2);
    await stack.chain.mine(20);
    // From here on the endpoint knows of no earlier events: all else must come from the ledger.
    const first: number[] = [];
    const client = new Proxy(relay.client, {
      get(target, property, receiver) {
        if (property !== 'getLogs') return Reflect.get(target, property, receiver) as unknown;
        return (filter: Parameters<typeof target.getLogs>[0]) => {
          first.push(Number(filter?.fromBlock));
          return target.getLogs(filter);
        };
      },
    });
    const later = watch({ client });
    expect(codeOf(() => later.terms({ model: 'sim-small', token: stack.contracts.usdc, atMs: nowMs }))).toBe(
      'budgets_unknown',
    );
    await later.poll();
    expect(first).toEqual([stored - 12]);
    expect(later.terms({ model: 'sim-small', token: stack.contracts.usdc, atMs: nowMs })).toEqual(localBudget(nowMs));
    expect(await relay.ledger.listBudgetChanges()).toEqual(known);
  });

  it('takes back what a reorganisation undid', async () => {
    const watcher = watch();
    const before = await stack.chain.request('evm_snapshot');
    await decide({ functionName: 'setModelBudget', args: ['reorganised', 5n] });
    await watcher.poll();
    const ask = { model: 'reorganised', token: stack.contracts.usdc, atMs: nowMs + 2 * dayMs };
    expect(watcher.terms(ask).limitAgpt).toBe(5n);
    await stack.chain.request('evm_revert', [before]);
    await decide({ functionName: 'setModelBudget', args: ['another', 5n] });
    await stack.chain.mine(3);
    await watcher.poll();
    expect(watcher.terms(ask).limitAgpt).not.toBe(5n);
    expect(watcher.terms({ ...ask, model: 'another' }).limitAgpt).toBe(5n);
    // Nor is it told to the next process.
    const next = watch();
    await next.poll();
    expect(next.terms(ask).limitAgpt).not.toBe(5n);
  });

  it('decides nothing by what is too old, and knows again when the chain answers', async () => {
    const ask = { model: 'sim-small', token: stack.contracts.usdc, atMs: nowMs };
    const watcher = watch();
    await watcher.poll();
    nowMs += maxStalenessMs;
    expect(codeOf(() => watcher.terms(ask))).toBe('ok');
    nowMs += 1;
    expect(codeOf(() => watcher.terms(ask))).toBe('budgets_unknown');
    await watcher.poll();
    expect(codeOf(() => watcher.terms(ask))).toBe('ok');
  });

  it('does not take silence for news: a chain that is away, or an endpoint that has lost its place', async () => {
    const ask = { model: 'sim-small', token: stack.contracts.usdc, atMs: nowMs };
    const away = createChainClient({ rpcUrl: 'http://127.0.0.1:1', chainId: stack.chain.chainId, timeoutMs: 500 });
    await watch().poll();
    const watcher = watch({ client: away });
    await expect(watcher.poll()).rejects.toMatchObject({ code: 'chain_unavailable' });
    expect(codeOf(() => watcher.terms(ask))).toBe('budgets_unknown');

    await relay.ledger.setState('watch_budgets.next_block', '100000');
    const behind = watch();
    await expect(behind.poll()).rejects.toThrow('block 99999 was read before');
    expect(codeOf(() => behind.terms(ask))).toBe('budgets_unknown');
  });

  it('decides nothing by what is from an old block, however often the endpoint answers', async () => {
    const ask = { model: 'sim-small', token: stack.contracts.usdc, atMs: nowMs };
    const number = await relay.client.getBlockNumber();
    const asOfMs = nowMs;
    const watcher = watch({ head: { read: () => Promise.resolve({ number, asOfMs }) } });
    nowMs += maxStalenessMs;
    await watcher.poll();
    expect(codeOf(() => watcher.terms(ask))).toBe('ok');
    nowMs += 1;
    await watcher.poll();
    expect(codeOf(() => watcher.terms(ask))).toBe('budgets_unknown');
  });

  it('asks the contract itself each hour, and reads all again if an event was kept back', async () => {
    const kept = keepBack(relay.client);
    const errors: string[] = [];
    const log = { ...silentLog, error: (_: object, message: string) => void errors.push(message) };
    const watcher = watch({ client: kept.client, log });
    await watcher.poll();
    kept.isKeeping = true;
    await decide({ functionName: 'setModelBudget', args: ['sim-small', 77n] });
    await watcher.poll();
    // More blocks than the margin: no poll looks at the event again by itself.
    await stack.chain.mine(20);
    await watcher.poll();
    kept.isKeeping = false;
    const ask = { model: 'sim-small', token: stack.contracts.usdc, atMs: nowMs + dayMs };
    nowMs += 3_599_999;
    await watcher.poll();
    expect(watcher.terms(ask).limitAgpt).not.toBe(77n);
    expect(errors).toEqual([]);
    nowMs += 1;
    await watcher.poll();
    expect(watcher.terms(ask).limitAgpt).toBe(77n);
    expect(errors).toEqual([expect.stringContaining('kept back events')]);
  });

  it('sells nothing while the events do not explain what the contract says', async () => {
    const kept = keepBack(relay.client);
    const watcher = watch({ client: kept.client, maxStalenessMs: 2 * 3_600_000 });
    await watcher.poll();
    kept.isKeeping = true;
    await decide({ functionName: 'setModelBudget', args: ['sim-small', 78n] });
    nowMs += 3_600_000;
    await expect(watcher.poll()).rejects.toThrow('do not explain the limit of sim-small on day');
    const ask = { model: 'sim-small', token: stack.contracts.usdc, atMs: nowMs };
    expect(codeOf(() => watcher.terms(ask))).toBe('budgets_unknown');
    kept.isKeeping = false;
    await watcher.poll();
    expect(codeOf(() => watcher.terms(ask))).toBe('ok');
  });

  it('knows no budgets of a contract that has none', async () => {
    const watcher = watch({ modelBudgets: zeroAddress, models: [], tokens: [] });
    await watcher.poll();
    expect(codeOf(() => watcher.terms({ model: 'a', token: stack.contracts.usdc, atMs: nowMs }))).toBe(
      'budgets_unknown',
    );
  });
});
