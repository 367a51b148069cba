import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { WitnessKeyOptions, WitnessRunOptions } from '../commands/witness.ts';
import { parseCount, parsePort, type Run } from './run-command.ts';

/** Commands of whoever watches logs for others. */
export function addWitnessCommands(program: Command, run: Run): void {
  const witness = program
    .command('witness')
    .description('cosign the checkpoints of logs, as long as each log only grows (C2SP tlog-witness)');
  addFolderOptions(witness.command('run', { isDefault: true }))
    .description('watch logs until Ctrl-C: answer those that send their checkpoints, look at those with a URL')
    .option(
      '--config <file>',
      'a YAML file with host, port, intervalSeconds and logs (default: witness.yaml of the folder)',
    )
    .option('--log <url>', 'one log, instead of those of the file: what /checkpoint and /tile are added to')
    .option('--key <key>', "the log's verifier key; without --log, the log itself has to send its checkpoints")
    .option('--rpc-url <url>', "a chain whose KeyRegistry has to know the relay's key (without --key: the stack's)")
    .option('--host <address>', 'where to listen (default: 127.0.0.1)')
    .option('--port <n>', 'where to listen; 0 picks a free one (default: 4020)', parsePort)
    .option('--interval <seconds>', 'how often to look (default: 60)', parseCount)
    .action(async (given: WitnessRunOptions, command: Command) => {
      await run(command, async (context) => (await import('../commands/witness.ts')).runWitness(context, given));
    });
  addFolderOptions(witness.command('key'))
    .description("print the key that checks this witness's cosignatures")
    .action(async (given: WitnessKeyOptions, command: Command) => {
      await run(command, async (context) => (await import('../commands/witness.ts')).runWitnessKey(context, given));
    });
}

function addFolderOptions(command: Command): Command {
  return addCommonOptions(command)
    .option('--folder <dir>', "the witness's key, state and evidence (default: ~/.autopay/witness)")
    .option('--name <name>', 'of a new witness, whose key is made then, such as witness.example.com/w1');
}
