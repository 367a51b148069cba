import { agptUnit } from '../../client/chain/open-deployment.ts';
import { describeRate, formatDay } from '../../client/governance/describe-call.ts';
import { readBudgets, type Budgets, type ModelBudget } from '../../client/governance/read-budgets.ts';
import { formatShort } from '../../client/token-amount.ts';
import type { CommandContext } from '../command-context.ts';
import { openCommandDeployment, type ChainOptions } from '../open-command-deployment.ts';
import { formatTable } from '../output.ts';

/** Shows what each model may spend, and what of it was booked, from the chain alone. Needs no key. */
export async function runBudgetStatus(
  context: CommandContext,
  options: ChainOptions & { model?: string },
): Promise<void> {
  const deployment = await openCommandDeployment(context, options);
  const budgets = await readBudgets(deployment, options.model === undefined ? {} : { model: options.model });
  context.print({ json: budgets, text: formatBudgets(budgets) });
}

function formatBudgets({ today, models, defaultLimit, rates }: Budgets): string {
  const agpt = (amount: bigint): string => formatShort(amount, agptUnit);
  const row = (model: ModelBudget, i: number): string[] => {
    const { day = 0, limit = 0n, spent = 0n, left = 0n } = model.days[i] ?? {};
    return [model.name ?? model.id, formatDay(day), agpt(limit), agpt(spent), agpt(left)];
  };
  const rows = models.flatMap((model) => model.days.map((_, i) => row(model, i)));
  const unnamed = [
    ['any other model', formatDay(today), agpt(defaultLimit.today), '', ''],
    ['any other model', formatDay(today + 1), agpt(defaultLimit.tomorrow), '', ''],
  ];
  const heads = ['model', 'UTC day', 'limit', 'booked', 'left'];
  const others = rates.filter(({ unit }) => unit.symbol !== agptUnit.symbol);
  const counts = others.map(({ unit, ...rate }) => [
    `${unit.symbol} counts as`,
    describeRate(rate.today, unit),
    rate.tomorrow === rate.today ? '' : `from ${formatDay(today + 1)}: ${describeRate(rate.tomorrow, unit)}`,
  ]);
  return `${formatTable([heads, ...rows, ...unnamed])}\n${formatTable(counts)}`;
}
