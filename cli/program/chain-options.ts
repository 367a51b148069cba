import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import { addYesOption } from './wallet-options.ts';

/** Options of commands that read a deployment from the chain. */
export function addChainOptions(command: Command): Command {
  return addCommonOptions(command).option(
    '--rpc-url <url>',
    'a chain by its endpoint, with the contracts of addresses/<chainId>.json (default: the stack of the data folder)',
  );
}

/** Options of commands that sign a transaction. */
export function addSigningOptions(command: Command): Command {
  return addYesOption(addChainOptions(command));
}
