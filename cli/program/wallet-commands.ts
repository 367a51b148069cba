import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import { parseCount, type Run } from './run-command.ts';
import { addTokenOption, amountHelp } from './wallet-options.ts';

/** Commands of whoever pays: make calls, set limits. */
export function addWalletCommands(program: Command, run: Run): void {
  addCallCommands(program, run);
  addLimitsCommands(program, run);
}

function addCallCommands(program: Command, run: Run): void {
  addTokenOption(addCommonOptions(program.command('call')))
    .description('make one paid call; prints the answer, then call id, tokens, charge and whether the receipt holds')
    .argument('<prompt>', 'what to ask')
    .option('--model <name>', 'one of autopay models (default: the cheapest that is not free)')
    .option('--stream', 'print the answer as it comes')
    .option('--max-tokens <n>', 'the most tokens of the answer; it also bounds what the call can cost', parseCount)
    .option('--max-cost <amount>', `refuse if the call may cost more, ${amountHelp}`)
    .action(
      async (
        prompt: string,
        given: { model?: string; stream?: boolean; maxTokens?: number; maxCost?: string; token?: string },
        command: Command,
      ) => {
        const { stream = false, ...rest } = given;
        await run(command, async (context) =>
          (await import('../commands/call.ts')).runCall(context, { prompt, isStream: stream, ...rest }),
        );
      },
    );
  addCommonOptions(program.command('models'))
    .description('list the models that the relay sells, with their prices per million tokens')
    .option('--token <symbol>', 'what to show prices in, such as AGPT (default: the first that the relay takes)')
    .action(async (given: { token?: string }, command: Command) => {
      await run(command, async (context) => (await import('../commands/models.ts')).runModels(context, given));
    });
}

function addLimitsCommands(program: Command, run: Run): void {
  const limits = addCommonOptions(program.command('limits'))
    .description('show what the wallet may spend, and has spent today (UTC)')
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/limits.ts')).runLimits(context));
    });
  const orNone = `${amountHelp}, or none`;
  addCommonOptions(limits.command('set'))
    .description('set limits; wallets that run, such as a sidecar, heed them from their next call on')
    .option('--per-call <amount>', `the most that one call may cost, ${orNone}`)
    .option('--per-day <amount>', `the most that the calls of a day (UTC) may cost, ${orNone}`)
    .option(
      '--per-deposit <amount>',
      `the most per deposit, ${orNone}; with it, the channel is topped up when it runs out`,
    )
    .action(async (given: { perCall?: string; perDay?: string; perDeposit?: string }, command: Command) => {
      await run(command, async (context) => (await import('../commands/limits.ts')).runLimitsSet(context, given));
    });
}
