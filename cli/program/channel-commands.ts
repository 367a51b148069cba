import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import { addTokenOption, addYesOption, amountHelp } from './wallet-options.ts';
import type { Run } from './run-command.ts';

/** What commands about a channel's money are given. */
interface FundsOptions {
  token?: string;
  yes?: boolean;
}

/** Commands about the payment channel: look at it, and move money into it and out of it. */
export function addChannelCommands(program: Command, run: Run): void {
  const channel = program
    .command('channel')
    .description('the payment channel: money in escrow, which calls spend by signed vouchers');
  addTokenOption(addCommonOptions(channel.command('open')))
    .description('open a channel, unless there is one')
    .option('--deposit <amount>', `how much to escrow, ${amountHelp} (default: 5)`)
    .option('--new', 'open another one')
    .action(async (given: { deposit?: string; new?: boolean; token?: string }, command: Command) => {
      const { new: isNew = false, ...rest } = given;
      await run(command, async (context) =>
        (await import('../commands/channel.ts')).runChannelOpen(context, { isNew, ...rest }),
      );
    });
  addTokenOption(addCommonOptions(channel.command('status')))
    .description('show what is deposited, spent, signed and collected')
    .action(async (given: { token?: string }, command: Command) => {
      await run(command, async (context) => (await import('../commands/channel.ts')).runChannelStatus(context, given));
    });
  addYesOption(addTokenOption(addCommonOptions(channel.command('topup'))))
    .description('put more money into the channel')
    .argument('<amount>', amountHelp)
    .action(async (amount: string, given: FundsOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/channel-funds.ts')).runChannelTopUp(context, { amount, ...given }),
      );
    });
  addYesOption(addTokenOption(addCommonOptions(channel.command('close'))))
    .description('end the channel: the relay takes what was charged, the rest comes back in the same transaction')
    .option('--keys', 'the channel of the API keys instead')
    .option('--on-chain', 'without the relay: ask the contract; the rest can be withdrawn after its grace period')
    .action(async (given: FundsOptions & { keys?: boolean; onChain?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/channel-funds.ts')).runChannelClose(context, given),
      );
    });
  addYesOption(addTokenOption(addCommonOptions(channel.command('withdraw'))))
    .description('take the rest of channels that were closed with --on-chain, after the grace period')
    .action(async (given: FundsOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/channel-funds.ts')).runChannelWithdraw(context, given),
      );
    });
}
