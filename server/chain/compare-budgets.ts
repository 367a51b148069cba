import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import type { BudgetTable } from './budget-table.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

/** What is compared. */
export interface BudgetComparison {
  client: Pick<ChainClient, 'readContract'>;
  /** The ModelBudgets contract. */
  modelBudgets: Hex;
  /** What the contract's events up to `blockNumber` say. */
  table: BudgetTable;
  models: readonly string[];
  tokens: readonly Hex[];
  /** UTC days, unix seconds / 86400. */
  days: readonly number[];
  blockNumber: bigint;
}

/** So many questions are asked at a time. */
const maxParallel = 100;

/**
 * Where the events of ModelBudgets and its own answers differ, in words for the log; nothing if all events were heard.
 * @throws AutoPayError `chain_unavailable`
 */
export async function compareBudgets(options: BudgetComparison): Promise<string[]> {
  const { client, table, models, tokens, days, blockNumber } = options;
  const contract = { address: options.modelBudgets, abi: modelBudgetsAbi, blockNumber } as const;
  const questions = days.flatMap((day) => [
    ...models.map((model) => ({
      what: `the limit of ${model} on day ${day}`,
      heard: table.limitOf(model, day),
      ask: () => client.readContract({ ...contract, functionName: 'limitOf', args: [nameId(model), day] }),
    })),
    ...tokens.map((token) => ({
      what: `the rate of ${token} on day ${day}`,
      heard: table.rateOf(token, day),
      ask: () => client.readContract({ ...contract, functionName: 'rateOf', args: [token, day] }),
    })),
  ]);
  const differences: string[] = [];
  for (let at = 0; at < questions.length; at += maxParallel) {
    const answers = questions.slice(at, at + maxParallel).map(async ({ what, heard, ask }) => {
      const actual = await callChain(what, ask);
      return actual === heard ? [] : [`${what}: ${String(heard)} by the events, ${actual} by the contract`];
    });
    differences.push(...(await Promise.all(answers)).flat());
  }
  return differences;
}
