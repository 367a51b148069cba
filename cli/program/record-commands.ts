import { Option, type Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { SpendOptions } from '../commands/spend.ts';
import { parseCount, type Run } from './run-command.ts';
import { addTokenOption, callIdArgument } from './wallet-options.ts';

/** Commands of whoever pays: talk, and look back at what it has cost. */
export function addRecordCommands(program: Command, run: Run): void {
  addTokenOption(addCommonOptions(program.command('chat')))
    .description('talk with a model; each answer says what it and all of them cost; a pipe is one message per line')
    .argument('[model]', 'one of autopay models (default: the cheapest that is not free)')
    .option('--max-tokens <n>', 'the most tokens of each answer; it also bounds what a call can cost', parseCount)
    .action(async (model: string | undefined, given: { maxTokens?: number; token?: string }, command: Command) => {
      const named = model === undefined ? {} : { model };
      await run(command, async (context) =>
        (await import('../commands/chat.ts')).runChat(context, { ...named, ...given }),
      );
    });
  addCommonOptions(program.command('spend'))
    .description(
      "show what was spent: by model and day from the wallet's own receipts, by key and project from the relay",
    )
    .addOption(new Option('--by <what>', 'what to sum by').choices(['model', 'day', 'key', 'project']).default('model'))
    .option('--since <day>', 'the first day (UTC), such as 2026-11-21')
    .option('--until <day>', 'the last day (UTC), such as 2026-11-21')
    .action(async (given: SpendOptions & { json?: boolean; dataDir?: string }, command: Command) => {
      const { by, since, until } = given;
      const days = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) };
      await run(command, async (context) => (await import('../commands/spend.ts')).runSpend(context, { by, ...days }));
    });
  addCommonOptions(program.command('replay'))
    .description("show a call of the wallet's own record and check its receipt again; asks the chain, not the relay")
    .argument(...callIdArgument)
    .action(async (callId: string, _given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/replay.ts')).runReplay(context, { callId }));
    });
}
