import { Option, type Command } from 'commander';
import type { CallFilterOptions } from '../audit-answers.ts';
import { addCommonOptions } from '../command-context.ts';
import type { ExportFormat } from '../commands/audit-export.ts';
import { addEvidenceCommand } from './evidence-command.ts';
import { parseCount, type Run } from './run-command.ts';
import { addVerifyCommands } from './verify-commands.ts';
import { callIdArgument } from './wallet-options.ts';

/** Commands about the audit trail: what the relay says of calls, and whether it is so. */
export function addAuditCommands(program: Command, run: Run): void {
  const audit = program.command('audit').description('list calls as the audit log has them, and check them');
  addListCommand(audit, run);
  addShowCommand(audit, run);
  addWatchCommand(audit, run);
  addExportCommand(audit, run);
  addVerifyCommands(audit, run);
  addEvidenceCommand(audit, run);
}

/** Which calls: those of the wallet, or with AUTOPAY_OPERATOR_TOKEN of everybody. */
function addFilterOptions(command: Command): Command {
  return command
    .option('--model <name>', 'calls for this model')
    .option('--provider <name>', 'calls that this provider answered')
    .option('--key <id>', 'calls with this API key, as autopay keys list shows it')
    .option('--payer <address>', 'calls of this payer, for the operator (AUTOPAY_OPERATOR_TOKEN)');
}

function addTimeOptions(command: Command): Command {
  const written = 'RFC 3339, a day such as 2026-11-21 (its beginning, UTC), or unix milliseconds';
  return command
    .option('--since <time>', `charged at this time or later: ${written}`)
    .option('--until <time>', 'charged before this time, written alike');
}

/** What commander gives besides an option's own. */
type Given<Options> = Options & { json?: boolean; dataDir?: string };

function filterOf({ payer, key, model, provider, since, until }: CallFilterOptions): CallFilterOptions {
  return {
    ...(payer !== undefined && { payer }),
    ...(key !== undefined && { key }),
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
}

function addListCommand(audit: Command, run: Run): void {
  addTimeOptions(addFilterOptions(addCommonOptions(audit.command('list'))))
    .description("list the wallet's calls as the relay's log has them, newest first; logs in to the relay")
    .option('--limit <n>', 'the most calls', parseCount, 20)
    .action(async (given: Given<CallFilterOptions & { limit: number }>, command: Command) => {
      const options = { ...filterOf(given), limit: given.limit };
      await run(command, async (context) => (await import('../commands/audit-list.ts')).runAuditList(context, options));
    });
}

function addShowCommand(audit: Command, run: Run): void {
  addCommonOptions(audit.command('show'))
    .description('show one call as the relay has it: its receipt, and how far the log, the anchor and the money are')
    .argument(...callIdArgument)
    .action(async (callId: string, _given: object, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/audit-show.ts')).runAuditShow(context, { callId }),
      );
    });
}

function addWatchCommand(audit: Command, run: Run): void {
  addFilterOptions(addCommonOptions(audit.command('watch')))
    .description('show receipts as they come, until Ctrl-C; with --json one object a line')
    .option('--interval <seconds>', 'how often the relay is asked', parseCount, 2)
    .action(async (given: Given<CallFilterOptions & { interval: number }>, command: Command) => {
      const options = { ...filterOf(given), interval: given.interval };
      await run(command, async (context) =>
        (await import('../commands/audit-watch.ts')).runAuditWatch(context, options),
      );
    });
}

function addExportCommand(audit: Command, run: Run): void {
  addTimeOptions(addFilterOptions(addCommonOptions(audit.command('export'))))
    .description('write calls to a file, oldest first, all that the log has at that moment')
    .addOption(new Option('--format <format>', 'how to write them').choices(['csv', 'json', 'ndjson']).default('csv'))
    .requiredOption('--output <file>', 'where to; a file that exists is replaced once the export is whole')
    .action(async (given: Given<CallFilterOptions & { format: ExportFormat; output: string }>, command: Command) => {
      const options = { ...filterOf(given), format: given.format, output: given.output };
      await run(command, async (context) =>
        (await import('../commands/audit-export.ts')).runAuditExport(context, options),
      );
    });
}
