import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { runKeysCreate } from '../commands/keys.ts';
import { parseCount, type Run } from './run-command.ts';

type KeyCreation = typeof runKeysCreate;

const tokenHelp =
  'what to pay in, such as AGPT (default: what there is a channel in, or else the first of the relay that the wallet has)';

/** Commands of whoever pays: make calls, manage the channel, check charges. */
export function addWalletCommands(program: Command, run: Run): void {
  addCallCommands(program, run);
  addChannelCommands(program, run);
  addChannelFundsCommands(program, run);
  addLimitsCommands(program, run);
  addKeyCommands(program, run);
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

function addChannelFundsCommands(program: Command, run: Run): void {
  const channel = program.commands.find((command) => command.name() === 'channel') ?? program;
  const yesHelp = 'do it without asking; needed with --json, and where there is no terminal to ask at';
  addCommonOptions(channel.command('topup'))
    .description('put more money into the channel')
    .argument('<amount>', 'in whole tokens, such as 2.5')
    .option('--token <symbol>', tokenHelp)
    .option('--yes', yesHelp)
    .action(async (amount: string, given: { token?: string; yes?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/channel-funds.ts')).runChannelTopUp(context, { amount, ...given }),
      );
    });
  addCommonOptions(channel.command('close'))
    .description('end the channel: the relay takes what was charged, the rest comes back in the same transaction')
    .option('--keys', 'the channel of the API keys instead')
    .option('--on-chain', 'without the relay: ask the contract; the rest can be withdrawn after its grace period')
    .option('--token <symbol>', tokenHelp)
    .option('--yes', yesHelp)
    .action(async (given: { keys?: boolean; onChain?: boolean; token?: string; yes?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/channel-funds.ts')).runChannelClose(context, given),
      );
    });
  addCommonOptions(channel.command('withdraw'))
    .description('take the rest of channels that were closed with --on-chain, after the grace period')
    .option('--token <symbol>', tokenHelp)
    .option('--yes', yesHelp)
    .action(async (given: { token?: string; yes?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/channel-funds.ts')).runChannelWithdraw(context, given),
      );
    });
}

function addLimitsCommands(program: Command, run: Run): void {
  const limits = addCommonOptions(program.command('limits'))
    .description('what the wallet may spend, and has spent today')
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/limits.ts')).runLimits(context));
    });
  addCommonOptions(limits.command('set'))
    .description(
      'set limits, in whole tokens such as 2.5, or "none"; wallets that run heed them from their next call on',
    )
    .option('--per-call <amount>', 'the most that one call may cost')
    .option('--per-day <amount>', 'the most that the calls of a day (UTC) may cost')
    .option('--per-deposit <amount>', 'the most per deposit; with it, the channel is topped up when it runs out')
    .action(async (given: { perCall?: string; perDay?: string; perDeposit?: string }, command: Command) => {
      await run(command, async (context) => (await import('../commands/limits.ts')).runLimitsSet(context, given));
    });
}

function addKeyCommands(program: Command, run: Run): void {
  addCommonOptions(program.command('login'))
    .description("log in to the relay with the wallet's signature, to manage API keys; moves nothing")
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/keys.ts')).runLogin(context));
    });
  const keys = program.command('keys').description('API keys, which spend from this wallet within their budgets');
  addCommonOptions(keys.command('fund'))
    .description('put money into a channel of its own, which API keys may spend to the end')
    .argument('<amount>', 'in whole tokens, such as 2.5')
    .option('--token <symbol>', tokenHelp)
    .option('--yes', 'do it without asking; needed with --json, and where there is no terminal to ask at')
    .action(async (amount: string, given: { token?: string; yes?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/keys.ts')).runKeysFund(context, { amount, ...given }),
      );
    });
  addCommonOptions(keys.command('create'))
    .description('make a key; it is shown this once')
    .option('--name <name>', 'what to call it')
    .option('--budget <amount>', 'the most that it may spend in each period, in whole tokens such as 2.5')
    .option('--period <duration>', 'of the budget, such as 1d or 1mo (default: it never starts again)')
    .option('--expires-in <duration>', 'such as 30d (default: never)')
    .option('--models <names>', 'that it may call, with commas between (default: all)')
    .option('--token <symbol>', "what it pays in (default: the relay's first)")
    .action(async (given: Parameters<KeyCreation>[1], command: Command) => {
      await run(command, async (context) => (await import('../commands/keys.ts')).runKeysCreate(context, given));
    });
  addCommonOptions(keys.command('list'))
    .description("list the wallet's keys, with what they spent in their present periods")
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/keys.ts')).runKeysList(context));
    });
  addCommonOptions(keys.command('delete'))
    .description('end a key; this relay refuses its next call')
    .argument('<id>', 'as autopay keys list shows it')
    .option('--yes', 'do it without asking; needed with --json, and where there is no terminal to ask at')
    .action(async (id: string, given: { yes?: boolean }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/keys.ts')).runKeysDelete(context, { id, ...given }),
      );
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
