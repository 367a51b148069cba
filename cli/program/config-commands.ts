import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { Run } from './run-command.ts';

/** Commands that look at a configuration without running it. */
export function addConfigCommands(program: Command, run: Run): void {
  const config = program.command('config').description('look at the configuration of a relay');
  addCommonOptions(config.command('check'))
    .description(
      'check an autopay.yaml, or a configuration of LiteLLM or of the blueprint, and the models of its providers',
    )
    .argument(
      '[file]',
      'default: autopay.yaml of the data folder; a foreign file is read together with that one, if there is one',
    )
    .option('--offline', 'ask no provider for its models')
    .action(async (file: string | undefined, given: { offline?: boolean }, command: Command) => {
      const { offline: isOffline = false } = given;
      await run(command, async (context) =>
        (await import('../commands/config-check.ts')).runConfigCheck(context, { file, isOffline }),
      );
    });
  addCommonOptions(config.command('explain'))
    .description('what would serve a model, in which order, and at what price')
    .argument('<model>', 'as clients ask for it')
    .option('--config <file>', 'a file as of "config check", instead of autopay.yaml of the data folder')
    .action(async (model: string, given: { config?: string }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/config-explain.ts')).runConfigExplain(context, { model, file: given.config }),
      );
    });
}
