import type { Command } from 'commander';

/** Options and texts that the commands of a payer share, so that they read alike. */

/** How each amount is written. */
export const amountHelp = 'in whole tokens, such as 2.5';

/** Where a command takes a call. */
export const callIdArgument = [
  '<callId>',
  'the x-autopay-call-id header, what autopay call prints, or "last"',
] as const;

/** Which of the wallet's tokens a command is about. */
export function addTokenOption(command: Command): Command {
  return command.option(
    '--token <symbol>',
    'what to pay in, such as AGPT (default: what there is a channel in, or else the first of the relay that the wallet has)',
  );
}

/** Leave to sign, given beforehand. */
export function addYesOption(command: Command): Command {
  return command.option('--yes', 'sign without asking; needed with --json, and where there is no terminal to ask at');
}
