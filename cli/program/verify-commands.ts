import type { Command } from 'commander';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { AuditSourceOptions } from '../audit-place.ts';
import { addCommonOptions } from '../command-context.ts';
import type { AuditOpenOptions } from '../commands/audit-open.ts';
import type { Run } from './run-command.ts';
import { callIdArgument } from './wallet-options.ts';

/** Commands that believe nobody: they check calls, and what others say of them. */
export function addVerifyCommands(audit: Command, run: Run): void {
  addVerifyCommand(audit, run);
  addOpenCommand(audit, run);
  addCheckCommand(audit, run);
}

/** Where the chain and the blocks are. */
function addSourceOptions(command: Command): Command {
  const withChain = command
    .option('--rpc <url>', "an endpoint of the chain, for use without a stack (default: the stack's)")
    .option('--contracts <file>', 'with --rpc: where the contracts are (default: addresses/<chainId>.json)');
  return addBlockOptions(withChain);
}

/** Where the log's blocks are. */
export function addBlockOptions(command: Command): Command {
  return command
    .option('--blocks <dir>', "folder with the log's blocks (default: the stack's)")
    .option('--ipfs <urls>', 'IPFS gateways to get the blocks from, with commas between')
    .option('--car <file>', "a CAR file with the log's blocks");
}

/** What commander gives besides an option's own. */
type Given<Options> = Options & { json?: boolean; dataDir?: string };
type VerifyOptions = AuditSourceOptions & { all?: boolean; payer?: string };

function addVerifyCommand(audit: Command, run: Run): void {
  const [, callIdHelp] = callIdArgument;
  addSourceOptions(addCommonOptions(audit.command('verify')))
    .description(
      'check a call, or with --all every call, claim by claim, from the chain and content-addressed blocks alone',
    )
    .argument('[callId]', callIdHelp)
    .option(
      '--relay <url>',
      "also hold that relay's own log against the anchored one (default: the stack's, if it runs)",
    )
    .option('--prices <dir>', "folder with price tables, <root>.json (default: the stack's and what the relay lists)")
    .option('--all', 'every call of a payer in the whole log: gaps, totals, sums')
    .option('--payer <address>', 'with --all: whose calls (default: those of the wallet of the data folder)')
    .action(async (callId: string | undefined, given: Given<VerifyOptions>, command: Command) => {
      const { json: _json, dataDir: _dataDir, all = false, payer, ...sources } = given;
      await run(command, async (context) => {
        if (all && callId === undefined) {
          const whose = payer === undefined ? {} : { payer };
          return (await import('../commands/audit-verify-all.ts')).runAuditVerifyAll(context, { ...sources, ...whose });
        }
        if (callId === undefined || all || payer !== undefined) {
          throw new AutoPayError('invalid_argument', 'Name a call, or "last", or --all; --payer goes with --all.');
        }
        return (await import('../commands/audit-verify.ts')).runAuditVerify(context, { callId, ...sources });
      });
    });
}

function addOpenCommand(audit: Command, run: Run): void {
  addCommonOptions(audit.command('open'))
    .description('open the request or the answer of a call to a third party, who can check that it is the one')
    .argument(...callIdArgument)
    .option('--request', 'the request, as the wallet kept it (sidecar --keep-bodies)')
    .option('--response', 'the answer, as the wallet kept it')
    .option('--request-file <file>', 'the request, by its exact bytes')
    .option('--response-file <file>', 'the answer, by its exact bytes')
    .option('--output <file>', 'where to (default: stdout)')
    .action(async (callId: string, given: Given<Omit<AuditOpenOptions, 'callId'>>, command: Command) => {
      const { json: _json, dataDir: _dataDir, ...options } = given;
      await run(command, async (context) =>
        (await import('../commands/audit-open.ts')).runAuditOpen(context, { callId, ...options }),
      );
    });
}

function addCheckCommand(audit: Command, run: Run): void {
  addSourceOptions(addCommonOptions(audit.command('check')))
    .description('check what autopay audit open wrote: that the relay signed it, and that these are the bytes')
    .argument('<file>', 'the disclosure')
    .option('--signer <address>', "instead of a chain: the relay's address, if you know it")
    .action(async (file: string, given: Given<AuditSourceOptions & { signer?: string }>, command: Command) => {
      const { json: _json, dataDir: _dataDir, ...options } = given;
      await run(command, async (context) =>
        (await import('../commands/audit-check.ts')).runAuditCheck(context, { file, ...options }),
      );
    });
}
