import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';

/** Options of commands that read a deployment from the chain. */
export function addChainOptions(command: Command): Command {
  return addCommonOptions(command).option(
    '--rpc-url <url>',
    'a chain by its endpoint, with the contracts of addresses/<chainId>.json (default: the stack of the data folder)',
  );
}

/** Options of commands that sign a transaction. */
export function addSigningOptions(command: Command): Command {
  return addChainOptions(command).option(
    '--yes',
    'sign without asking; needed with --json, and where there is no terminal to ask at',
  );
}
