import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { unitOfToken, type OpenDeployment } from '../chain/open-deployment.ts';
import { readEvents } from '../chain/read-events.ts';
import { asChainError } from '../chain/send-transaction.ts';
import type { TokenUnit } from '../token-amount.ts';

import { readNames } from './read-names.ts';

const secondsPerDay = 86_400;

/** A model's budget on a UTC day (unix seconds / 86,400), as the chain has it. Amounts are AGPT wei. */
export interface BudgetDay {
  day: number;
  limit: bigint;
  /** What was booked within the budget; calls that are charged but not booked yet are not in it. */
  spent: bigint;
  left: bigint;
}

/** A model's budget today and tomorrow. */
export interface ModelBudget {
  /** Null where the chain has only its identifier. */
  name: string | null;
  id: Hex;
  /** Today's and tomorrow's: what a vote changes holds from the day after its execution. */
  days: BudgetDay[];
}

/** What a token counts against budgets: AGPT wei per atomic unit, times 10^18. */
export interface AccountingRate {
  unit: TokenUnit;
  address: Hex;
  today: bigint;
  tomorrow: bigint;
}

/** All budgets of a deployment. */
export interface Budgets {
  /** The UTC day of the chain. */
  today: number;
  models: ModelBudget[];
  /** For models without a limit of their own, AGPT wei. */
  defaultLimit: { today: bigint; tomorrow: bigint };
  rates: AccountingRate[];
}

/**
 * Reads the budgets from the chain: of every model that an event names, or of one.
 * @param options.model name of the only model to read.
 * @throws AutoPayError `chain_unavailable`, `transaction_failed`.
 */
export async function readBudgets(deployment: OpenDeployment, options: { model?: string } = {}): Promise<Budgets> {
  const { reader } = deployment;
  const address = deployment.contracts.modelBudgets;
  const source = { address, abi: modelBudgetsAbi } as const;
  try {
    const today = Math.floor((await deployment.now()) / secondsPerDay);
    const names = options.model === undefined ? await listModels(deployment) : undefined;
    const wanted = names ?? new Map<Hex, string | null>([[nameId(options.model ?? ''), options.model ?? '']]);
    const models = await Promise.all([...wanted].map(([id, name]) => readModel(deployment, { id, name, today })));
    const changes = await readEvents(deployment, { ...source, eventName: 'AccountingRateSet' });
    const tokens = [...new Set([...changes.map(({ args }) => args.token.toLowerCase()), deployment.contracts.agpt])];
    const rateOf = (token: string, day: number) =>
      reader.readContract({ ...source, functionName: 'rateOf', args: [token as Hex, day] });
    const defaultOf = (day: number) => reader.readContract({ ...source, functionName: 'defaultLimitOf', args: [day] });
    return {
      today,
      models: models.toSorted((a, b) => ((a.name ?? a.id) < (b.name ?? b.id) ? -1 : 1)),
      defaultLimit: { today: await defaultOf(today), tomorrow: await defaultOf(today + 1) },
      rates: await Promise.all(
        tokens.map(async (token) => ({
          unit: unitOfToken(deployment, token),
          address: token as Hex,
          today: await rateOf(token, today),
          tomorrow: await rateOf(token, today + 1),
        })),
      ),
    };
  } catch (error) {
    throw asChainError(error, 'Reading the budgets');
  }
}

async function listModels(deployment: OpenDeployment): Promise<Map<Hex, string | null>> {
  const source = { address: deployment.contracts.modelBudgets, abi: modelBudgetsAbi } as const;
  const [set, consumed, names] = await Promise.all([
    readEvents(deployment, { ...source, eventName: 'ModelBudgetSet' }),
    readEvents(deployment, { ...source, eventName: 'BudgetConsumed' }),
    readNames(deployment),
  ]);
  const models = new Map<Hex, string | null>();
  for (const { args } of consumed) models.set(args.model, names.get(args.model) ?? null);
  for (const { args } of set) models.set(args.model, args.name);
  return models;
}

async function readModel(
  { reader, contracts }: OpenDeployment,
  model: { id: Hex; name: string | null; today: number },
): Promise<ModelBudget> {
  const source = { address: contracts.modelBudgets, abi: modelBudgetsAbi } as const;
  const days = [model.today, model.today + 1].map(async (day) => {
    const args = [model.id, day] as const;
    const limit = await reader.readContract({ ...source, functionName: 'limitOf', args });
    const spent = await reader.readContract({ ...source, functionName: 'spentOf', args });
    return { day, limit, spent, left: limit > spent ? limit - spent : 0n };
  });
  return { name: model.name, id: model.id, days: await Promise.all(days) };
}
