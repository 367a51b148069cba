import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { AuditEvidenceOptions } from '../commands/audit-evidence.ts';
import type { Run } from './run-command.ts';
import { callIdArgument } from './wallet-options.ts';

type Given = Omit<AuditEvidenceOptions, 'callId'> & { json?: boolean; dataDir?: string };

/** Checks what supports an answer, with keys and measurements of the caller's own. */
export function addEvidenceCommand(audit: Command, run: Run): void {
  addCommonOptions(audit.command('evidence'))
    .description('check what supports an answer beside the relay’s signature: signatures, quotes, commitments')
    .argument(...callIdArgument)
    .option('--file <file>', 'an evidence document that was saved (default: the relay is asked)')
    .option('--key <keys...>', 'providers’ keys that you trust: addresses, or ed25519:HEX')
    .option(
      '--measurement <measurements...>',
      'code that you trust: mrTd=HEX, with further measurements joined by commas',
    )
    .option('--tcb <states...>', 'states of a platform that are good enough, in Intel’s words (default: UpToDate)')
    .option('--root-ca <file>', 'another root certificate than Intel’s, PEM')
    .action(async (callId: string, given: Given, command: Command) => {
      const { json: _json, dataDir: _dataDir, ...options } = given;
      await run(command, async (context) =>
        (await import('../commands/audit-evidence.ts')).runAuditEvidence(context, { callId, ...options }),
      );
    });
}
