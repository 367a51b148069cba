import type { Command } from 'commander';
import type { ChainOptions } from '../open-command-deployment.ts';
import { addChainOptions } from './chain-options.ts';
import type { Run } from './run-command.ts';

/** Commands about what models may spend. */
export function addBudgetCommands(program: Command, run: Run): void {
  const budget = program.command('budget').description('what each model may spend per day, as token holders set it');
  addChainOptions(budget.command('status'))
    .description('show limit, booked and left per model, today and tomorrow, from the chain alone')
    .argument('[model]', 'name of a model (default: all that the chain names)')
    .action(async (model: string | undefined, given: ChainOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/budget-status.ts')).runBudgetStatus(context, {
          ...given,
          ...(model === undefined ? {} : { model }),
        }),
      );
    });
}
