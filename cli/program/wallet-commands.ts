import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import { parseCount, type Run } from './run-command.ts';

const tokenHelp =
  'what to pay in, such as AGPT (default: what there is a channel in, or else the first of the relay that the wallet has)';

/** Commands of whoever pays: make calls, manage the channel, check charges. */
export function addWalletCommands(program: Command, run: Run): void {
  addCallCommands(program, run);
  addChannelCommands(program, run);
  addAuditCommands(program, run);
}

function addCallCommands(program: Command, run: Run): void {
  addCommonOptions(program.command('call'))
    .description('make one paid call; prints the answer, then call id, tokens, charge and whether the receipt holds')
    .argument('<prompt>', 'what to ask')
    .option('--model <name>', 'one of autopay models (default: the cheapest that is not free)')
    .option('--stream', 'print the answer as it comes')
    .option('--max-tokens <n>', 'the most tokens of the answer; it also bounds what the call can cost', parseCount)
    .option('--max-cost <amount>', 'refuse if the call may cost more, in whole tokens such as 0.01')
    .option('--token <symbol>', tokenHelp)
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
    .description('list the models that the relay sells, with their prices')
    .option('--token <symbol>', 'one of those that the relay takes (default: its first)')
    .action(async (given: { token?: string }, command: Command) => {
      await run(command, async (context) => (await import('../commands/models.ts')).runModels(context, given));
    });
}

function addChannelCommands(program: Command, run: Run): void {
  const channel = program
    .command('channel')
    .description('the payment channel: money in escrow, which calls spend by signed vouchers');
  addCommonOptions(channel.command('open'))
    .description('open a channel, unless there is one')
    .option('--deposit <amount>', 'how much to escrow, in whole tokens such as 2.5 (default: 5)')
    .option('--token <symbol>', tokenHelp)
    .option('--new', 'open another one')
    .action(async (given: { deposit?: string; new?: boolean; token?: string }, command: Command) => {
      const { new: isNew = false, ...rest } = given;
      await run(command, async (context) =>
        (await import('../commands/channel.ts')).runChannelOpen(context, { isNew, ...rest }),
      );
    });
  addCommonOptions(channel.command('status'))
    .description('show what is deposited, spent, signed and collected')
    .option('--token <symbol>', tokenHelp)
    .action(async (given: { token?: string }, command: Command) => {
      await run(command, async (context) => (await import('../commands/channel.ts')).runChannelStatus(context, given));
    });
}

function addAuditCommands(program: Command, run: Run): void {
  const audit = program.command('audit').description('check calls against the anchored log');
  addCommonOptions(audit.command('verify'))
    .description(
      'prove a call from the chain and content-addressed blocks alone; asks neither the relay nor its database',
    )
    .argument('<callId>', 'the x-autopay-call-id header, what autopay call prints, or "last"')
    .option('--blocks <dir>', "folder with the log's blocks (default: the stack's)")
    .option('--ipfs <url>', 'an IPFS gateway to get the blocks from, instead of a folder')
    .action(async (callId: string, given: { blocks?: string; ipfs?: string }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/audit-verify.ts')).runAuditVerify(context, { callId, ...given }),
      );
    });
}
