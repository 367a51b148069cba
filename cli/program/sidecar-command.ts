import { InvalidArgumentError, Option, type Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { SidecarCommandOptions } from '../commands/sidecar.ts';
import { parseCount, parsePort, type Run } from './run-command.ts';

/** As BlockRun's proxy and other uvicorn servers call them, so that a command line of theirs goes on working. */
const levels = ['critical', 'error', 'warning', 'info', 'debug', 'trace'];

/** The command of whoever has applications that speak OpenAI's API, and a wallet that is to pay for them. */
export function addSidecarCommand(program: Command, run: Run): void {
  addCommonOptions(program.command('sidecar'))
    .description('run a local proxy that pays for the calls of any OpenAI client, until Ctrl-C; its pages are at /docs')
    .option('--host <address>', 'where to listen; beyond loopback, AUTOPAY_PROXY_TOKEN must be set', '127.0.0.1')
    .option('--port <n>', 'where to listen; 0 picks a free one', parsePort, 4001)
    .option('--api-url <url>', "the relay to pay (default: the stack's)")
    .option('--rpc-url <url>', "with --api-url: an endpoint of that relay's chain, with addresses/<chainId>.json")
    .option(
      '--keep-bodies <days>',
      'keep prompts and answers for so long, for autopay audit open; in files of yours alone',
      parseDays,
    )
    .addOption(new Option('--log-level <level>', 'the least that is logged, to stderr').choices(levels).default('info'))
    .addHelpText(
      'after',
      `
Clients use http://127.0.0.1:4001/v1 as base URL. Where AUTOPAY_PROXY_TOKEN is set, they give its value as API key.`,
    )
    .action(async (given: SidecarCommandOptions, command: Command) => {
      await run(command, async (context) => (await import('../commands/sidecar.ts')).runSidecar(context, given));
    });
}

/** As many as a wallet keeps bodies for (`bodyBoundsSchema`, which is loaded with the command itself). */
function parseDays(text: string): number {
  const days = parseCount(text);
  if (days > 3_650) throw new InvalidArgumentError('It has to be 1 to 3650.');
  return days;
}
