import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { KeyOptions } from '../commands/keys.ts';
import { addTokenOption, addYesOption, amountHelp } from './wallet-options.ts';
import type { Run } from './run-command.ts';

/** Commands about API keys, which spend from the wallet: log in, give them money, make, list and end them. */
export function addKeyCommands(program: Command, run: Run): void {
  addCommonOptions(program.command('login'))
    .description("log in to the relay with the wallet's signature, to manage API keys; moves nothing")
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/keys.ts')).runLogin(context));
    });
  const keys = program.command('keys').description('API keys, which spend from this wallet within their budgets');
  addYesOption(addTokenOption(addCommonOptions(keys.command('fund'))))
    .description('put money into a channel of its own, which API keys may spend to the end')
    .argument('<amount>', amountHelp)
    .action(async (amount: string, given: { token?: string; yes?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/keys.ts')).runKeysFund(context, { amount, ...given }),
      );
    });
  addTokenOption(addCommonOptions(keys.command('create')))
    .description('make a key; it is shown this once')
    .option('--name <name>', 'what to call it')
    .option('--budget <amount>', `the most that it may spend in each period, ${amountHelp}`)
    .option('--period <duration>', 'of the budget, such as 1d or 1mo (default: it never starts again)')
    .option('--expires-in <duration>', 'when the key ends, such as 30d (default: never)')
    .option('--models <names>', 'models that it may call, with commas between (default: all)')
    .action(async (given: KeyOptions, command: Command) => {
      await run(command, async (context) => (await import('../commands/keys.ts')).runKeysCreate(context, given));
    });
  addCommonOptions(keys.command('list'))
    .description("list the wallet's keys, with what they spent in their present periods")
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/keys.ts')).runKeysList(context));
    });
  addYesOption(addCommonOptions(keys.command('delete')))
    .description('end a key; this relay refuses its next call')
    .argument('<id>', 'as autopay keys list shows it')
    .action(async (id: string, given: { yes?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/keys.ts')).runKeysDelete(context, { id, ...given }),
      );
    });
}
