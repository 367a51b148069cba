import { Command, InvalidArgumentError } from 'commander';
import { addCommonOptions, readContext, type CommandContext } from './command-context.ts';

const examples = `
Examples:
  npx --no autopay -- call "Say hello" --stream          pay for a call; the first one opens a channel
  npx --no autopay -- models                             what the relay sells, with prices
  npx --no autopay -- channel open --deposit 2.5         escrow 2.5 USDC for calls
  npx --no autopay -- channel status                     what is spent, signed and left
  npx --no autopay -- audit verify last                  prove a call from the chain and the log's blocks alone
  npx --no autopay -- fsck                               recompute the relay's books from the raw data
  npx --no autopay -- call "…" --json | jq .charge       every command speaks JSON

Without the "--", npm would take options such as --help for itself.
The stack is found by its data folder (npm start writes stack.json there when it is ready). The wallet's key comes from
AUTOPAY_WALLET_KEY, or from the stack's key file with mode 0600; it is never an argument.
Exit codes: 0 done, 1 failed or not verified, 2 wrong usage.`;

/** Ends with a verdict: `false` makes the exit code 1. */
type Action = (context: CommandContext) => Promise<boolean | void>;

/**
 * The command line, as a commander program. Commands load what they need when they run, so that `--help` stays quick.
 * @param options.onFailedVerdict called when a command ran, and what it checked does not hold.
 */
export function createProgram(options: { onFailedVerdict: () => void }): Command {
  const program = new Command('autopay');
  // Set before the commands are made: they inherit it.
  program.exitOverride().configureHelp({ helpWidth: 110 });
  addCommonOptions(program)
    .description('Pay for LLM calls from a wallet, one call at a time, and check every charge.')
    .addHelpText('after', examples);
  const run = async (command: Command, action: Action) => {
    if ((await action(readContext(command))) === false) options.onFailedVerdict();
  };
  addCallCommands(program, run);
  addChannelCommands(program, run);
  addAuditCommands(program, run);
  addFsckCommand(program, run);
  addRelayCommand(program, run);
  return program;
}

type Run = (command: Command, action: Action) => Promise<void>;

function addCallCommands(program: Command, run: Run): void {
  addCommonOptions(program.command('call'))
    .description('make one paid call; prints the answer, then call id, tokens, charge and whether the receipt holds')
    .argument('<prompt>', 'what to ask')
    .option('--model <name>', 'one of autopay models (default: the cheapest that is not free)')
    .option('--stream', 'print the answer as it comes')
    .option('--max-tokens <n>', 'the most tokens of the answer; it also bounds what the call can cost', parseCount)
    .option('--max-cost <amount>', 'refuse if the call may cost more, in whole tokens such as 0.01')
    .action(
      async (
        prompt: string,
        given: { model?: string; stream?: boolean; maxTokens?: number; maxCost?: string },
        command: Command,
      ) => {
        const { stream = false, ...rest } = given;
        await run(command, async (context) =>
          (await import('./commands/call.ts')).runCall(context, { prompt, isStream: stream, ...rest }),
        );
      },
    );
  addCommonOptions(program.command('models'))
    .description('list the models that the relay sells, with their prices')
    .action(async (_given: unknown, command: Command) => {
      await run(command, async (context) => (await import('./commands/models.ts')).runModels(context));
    });
}

function addChannelCommands(program: Command, run: Run): void {
  const channel = program
    .command('channel')
    .description('the payment channel: money in escrow, which calls spend by signed vouchers');
  addCommonOptions(channel.command('open'))
    .description('open a channel, unless there is one')
    .option('--deposit <amount>', 'how much to escrow, in whole tokens such as 2.5 (default: 5)')
    .option('--new', 'open another one')
    .action(async (given: { deposit?: string; new?: boolean }, command: Command) => {
      const { new: isNew = false, ...rest } = given;
      await run(command, async (context) =>
        (await import('./commands/channel.ts')).runChannelOpen(context, { isNew, ...rest }),
      );
    });
  addCommonOptions(channel.command('status'))
    .description('show what is deposited, spent, signed and collected')
    .action(async (_given: unknown, command: Command) => {
      await run(command, async (context) => (await import('./commands/channel.ts')).runChannelStatus(context));
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
        (await import('./commands/audit-verify.ts')).runAuditVerify(context, { callId, ...given }),
      );
    });
}

function addFsckCommand(program: Command, run: Run): void {
  addCommonOptions(program.command('fsck'))
    .description("recompute the relay's books from ledger, blocks and chain, with code of its own")
    .option('--rpc-url <url>', 'instead of the endpoint in autopay.yaml')
    .option('--offline', 'check ledger and blocks only')
    .action(async (given: { rpcUrl?: string; offline?: boolean }, command: Command) => {
      const { offline: isOffline = false, ...rest } = given;
      await run(command, async (context) =>
        (await import('./commands/fsck.ts')).runFsck(context, { isOffline, ...rest }),
      );
    });
}

function addRelayCommand(program: Command, run: Run): void {
  addCommonOptions(program.command('relay'))
    .description('run the relay alone on an existing data folder (autopay.yaml, keys/), until Ctrl-C')
    .option('--port <n>', 'instead of listen.port of autopay.yaml; 0 picks a free one', parsePort)
    .action(async (given: { port?: number }, command: Command) => {
      await run(command, async (context) => (await import('./commands/relay.ts')).runRelay(context, given));
    });
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It has to be a whole number from 1.');
  return Number(text);
}

function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It has to be 0 to 65535.');
  return Number(text);
}
