import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { readEvents } from '../chain/read-events.ts';

/** Names of models and providers by identifier, as far as the chain has them. */
export async function readNames(deployment: OpenDeployment): Promise<ReadonlyMap<string, string>> {
  const { autoPayLLM, modelBudgets } = deployment.contracts;
  const registered = await readEvents(deployment, {
    address: autoPayLLM,
    abi: autoPayLlmAbi,
    eventName: 'NameRegistered',
  });
  const budgeted = await readEvents(deployment, {
    address: modelBudgets,
    abi: modelBudgetsAbi,
    eventName: 'ModelBudgetSet',
  });
  return new Map([
    ...registered.map(({ args }) => [args.id, args.name] as const),
    ...budgeted.map(({ args }) => [args.model, args.name] as const),
  ]);
}
