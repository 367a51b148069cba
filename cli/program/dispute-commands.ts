import type { Command } from 'commander';
import type { DisputeEnding } from '../../client/disputes/end-dispute.ts';
import type { DisputeFindOptions } from '../commands/dispute-find.ts';
import type { DisputeInput } from '../commands/dispute.ts';
import type { ChainOptions, SigningOptions } from '../open-command-deployment.ts';
import { addChainOptions, addSigningOptions } from './chain-options.ts';
import type { Run } from './run-command.ts';
import { addBlockOptions } from './verify-commands.ts';

/** Commands of a payer that disputes a charge, and of whoever ends a dispute. */
export function addDisputeCommands(program: Command, run: Run): void {
  const dispute = program.command('dispute').description("hold the relay to its receipts; the relay's bond answers");
  addOpenCommand(dispute, run);
  addBlockOptions(addChainOptions(dispute.command('find')))
    .description(
      "look through the wallet's receipts for what the relay can be held to; writes the evidence, signs nothing",
    )
    .option('--prices <dir>', "folder with price tables, <root>.json (default: the stack's and what the relay lists)")
    .action(async (given: DisputeFindOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/dispute-find.ts')).runDisputeFind(context, given),
      );
    });
  addChainOptions(dispute.command('status'))
    .description('show the newest disputes, or one, with who may do what next')
    .argument('[dispute]', 'its number')
    .action(async (number: string | undefined, given: ChainOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/dispute.ts')).runDisputeStatus(context, {
          ...given,
          ...(number === undefined ? {} : { dispute: number }),
        }),
      );
    });
  const endings: readonly [name: string, functionName: DisputeEnding, about: string][] = [
    ['uphold', 'upholdChallenge', 'end a challenge that the relay did not answer in time; anyone may'],
    ['expire', 'expire', 'end a metering dispute on which nobody ruled in time; anyone may'],
    ['pay', 'payOutstanding', "pay the rest of a refund, now that the relay's bond has some; anyone may"],
  ];
  for (const [name, functionName, about] of endings) {
    addSigningOptions(dispute.command(name))
      .description(about)
      .argument('<dispute>', 'its number')
      .action(async (number: string, given: SigningOptions, command: Command) => {
        await run(command, async (context) =>
          (await import('../commands/dispute.ts')).runDisputeEnding(context, {
            ...given,
            dispute: number,
            functionName,
          }),
        );
      });
  }
}

function addOpenCommand(dispute: Command, run: Run): void {
  const command = addSigningOptions(dispute.command('open'))
    .description('open a dispute with a receipt of this wallet, or with an evidence file; shows what it costs')
    .argument('[kind]', 'metering, not-in-log or settled-beyond-receipt; the others need --evidence')
    .argument('[subject]', 'the call id, or "last"; for settled-beyond-receipt a channel id (default: the newest)')
    .option('--amount <amount>', 'metering: what is claimed, in whole tokens such as 0.001')
    .option('--evidence <file>', 'an evidence file of any kind (docs/PROTOCOL.md, "Evidence files")');
  command.action(async (kind: string | undefined, subject: string | undefined) => {
    const { amount, evidence, ...given } = command.opts<SigningOptions & { amount?: string; evidence?: string }>();
    const input = toInput({ kind, subject, amount, evidence });
    if (input === undefined) {
      return command.error(
        'error: say what to dispute: metering <callId> --amount <amount>, not-in-log <callId>, ' +
          'settled-beyond-receipt [channelId], or --evidence <file>',
        { exitCode: 2, code: 'autopay.disputeUnclear' },
      );
    }
    await run(command, async (context) =>
      (await import('../commands/dispute.ts')).runDisputeOpen(context, given, input),
    );
  });
}

/** What is to be disputed; undefined if the arguments do not fit each other. */
function toInput(given: {
  kind: string | undefined;
  subject: string | undefined;
  amount: string | undefined;
  evidence: string | undefined;
}): DisputeInput | undefined {
  const { kind, subject, amount, evidence: file } = given;
  if (file !== undefined) return kind === undefined && amount === undefined ? { kind: 'evidence', file } : undefined;
  if (kind === 'metering' && subject !== undefined && amount !== undefined) return { kind, callId: subject, amount };
  if (amount !== undefined) return undefined;
  if (kind === 'not-in-log' && subject !== undefined) return { kind, callId: subject };
  if (kind === 'settled-beyond-receipt') return { kind, ...(subject === undefined ? {} : { channelId: subject }) };
  return undefined;
}
