import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { addCommonOptions, readContext } from './command-context.ts';
import { addAuditCommands } from './program/audit-commands.ts';
import { addBudgetCommands } from './program/budget-commands.ts';
import { addChannelCommands } from './program/channel-commands.ts';
import { addConfigCommands } from './program/config-commands.ts';
import { addDisputeCommands } from './program/dispute-commands.ts';
import { addExamples } from './program/examples.ts';
import { addGovernanceCommands } from './program/governance-commands.ts';
import { addKeyCommands } from './program/key-commands.ts';
import { addOperatorCommands } from './program/operator-commands.ts';
import { addRecordCommands } from './program/record-commands.ts';
import type { Action } from './program/run-command.ts';
import { addSidecarCommand } from './program/sidecar-command.ts';
import { addWalletCommands } from './program/wallet-commands.ts';
import { addWalletFileCommands } from './program/wallet-file-commands.ts';
import { addWitnessCommands } from './program/witness-commands.ts';

const examples = `
Examples:
  npx --no autopay -- call "Say hello" --stream          pay for a call; the first one opens a channel
  npx --no autopay -- chat                               talk with a model; each answer says what it cost
  npx --no autopay -- models                             what the relay sells, with prices
  npx --no autopay -- channel open --deposit 2.5         escrow 2.5 USDC for calls
  npx --no autopay -- channel status                     what is spent, signed and left
  npx --no autopay -- limits set --per-day 2             stop at 2 USDC of calls a day
  npx --no autopay -- keys create --name app             an API key that spends from this wallet
  npx --no autopay -- spend --by model                   what calls have cost, by the wallet's own receipts
  npx --no autopay -- sidecar --port 5001                pay for the calls of any OpenAI client
  npx --no autopay -- wallet new                         a wallet of your own, in an encrypted keystore
  npx --no autopay -- audit list                         calls as the relay's log has them
  npx --no autopay -- audit verify last                  prove a call from the chain and the log's blocks alone
  npx --no autopay -- witness --log <relay>/log          watch a relay's log, and cosign it as long as it only grows
  npx --no autopay -- fsck                               recompute the relay's books from the raw data
  npx --no autopay -- budget status                      what each model may spend today, by vote
  npx --no autopay -- gov propose set-budget gpt-4o 5    put a budget to the vote; shows the effect before it signs
  npx --no autopay -- gov status                         every proposal, and who may do what next
  npx --no autopay -- dispute open not-in-log <callId>   hold the relay to a receipt that it did not log
  npx --no autopay -- call "…" --json | jq .charge       every command speaks JSON

Without the "--", npm would take options such as --help for itself.
The stack is found by its data folder (npm start writes stack.json there when it is ready). The wallet's key comes from
AUTOPAY_WALLET_KEY, or from the key file or keystore that AUTOPAY_WALLET_FILE names, or from the stack's key file; such files
have mode 0600. A keystore's password is asked for, or comes from AUTOPAY_WALLET_PASSWORD. Neither is ever an argument. With
AUTOPAY_OPERATOR_TOKEN, audit list, show, watch and export are about all payers.
The result goes to stdout; questions, warnings and errors go to stderr. With --json, stdout is one JSON object: the result, or
{"error": {"code", "message"}}.
Exit codes: 0 done; 1 failed, refused or not verified; 2 not called as it has to be (arguments, key, password, --yes), and
nothing was done. More is in docs/CLI.md.`;

/**
 * The command line, as a commander program. Commands load what they need when they run, so that `--help` stays quick.
 * @param options.onFailedVerdict called when a command ran, and what it checked does not hold.
 */
export function createProgram(options: { onFailedVerdict: () => void }): Command {
  const program = new Command('autopay');
  // Set before the commands are made: they inherit it.
  program.exitOverride().configureHelp({ helpWidth: 110 });
  addCommonOptions(program)
    .version(readVersion(), '--version', 'print the version')
    .description('Pay for LLM calls from a wallet, one call at a time, and check every charge.')
    .addHelpText('after', examples);
  const run = async (command: Command, action: Action) => {
    if ((await action(readContext(command))) === false) options.onFailedVerdict();
  };
  addWalletCommands(program, run);
  addChannelCommands(program, run);
  addKeyCommands(program, run);
  addRecordCommands(program, run);
  addAuditCommands(program, run);
  addWalletFileCommands(program, run);
  addSidecarCommand(program, run);
  addBudgetCommands(program, run);
  addGovernanceCommands(program, run);
  addDisputeCommands(program, run);
  addWitnessCommands(program, run);
  addOperatorCommands(program, run);
  addConfigCommands(program, run);
  addExamples(program);
  return program;
}

function readVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
