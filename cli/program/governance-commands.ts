import type { Command } from 'commander';
import type { ProposeInput } from '../commands/gov-propose.ts';
import type { ChainOptions, SigningOptions } from '../open-command-deployment.ts';
import { addChainOptions, addSigningOptions } from './chain-options.ts';
import type { Run } from './run-command.ts';

const proposalArgument = ['<proposal>', 'its id, the beginning of its id, or "last"'] as const;

/** Commands of token holders. */
export function addGovernanceCommands(program: Command, run: Run): void {
  const gov = program
    .command('gov')
    .description(
      'change budgets, prices, providers, relays and rulings by vote: delegate, propose, vote, queue, execute',
    );
  addProposeCommands(gov, run);
  addSigningOptions(gov.command('delegate'))
    .description("let the wallet's AGPT vote; without that it does not count")
    .argument('[address]', 'who votes with it (default: the wallet itself)')
    .action(async (to: string | undefined, given: SigningOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/gov-steps.ts')).runDelegate(context, {
          ...given,
          ...(to === undefined ? {} : { to }),
        }),
      );
    });
  addSigningOptions(gov.command('vote'))
    .description('vote with all that was delegated to the wallet when the vote began')
    .argument(...proposalArgument)
    .argument('<choice>', 'for, against or abstain')
    .action(async (proposal: string, choice: string, given: SigningOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/gov-steps.ts')).runVote(context, { ...given, proposal, choice }),
      );
    });
  for (const functionName of ['queue', 'execute'] as const) {
    addSigningOptions(gov.command(functionName))
      .description(
        functionName === 'queue'
          ? 'put a proposal that succeeded into the timelock; anyone may'
          : 'execute a queued proposal once its delay is over; anyone may',
      )
      .argument(...proposalArgument)
      .action(async (proposal: string, given: SigningOptions, command: Command) => {
        await run(command, async (context) =>
          (await import('../commands/gov-steps.ts')).runProposalStep(context, { ...given, proposal, functionName }),
        );
      });
  }
  addChainOptions(gov.command('status'))
    .description('show all proposals, or one in full: state, votes, quorum, calls, and who may do what next')
    .argument('[proposal]', proposalArgument[1])
    .action(async (proposal: string | undefined, given: ChainOptions, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/gov-status.ts')).runGovStatus(context, {
          ...given,
          ...(proposal === undefined ? {} : { proposal }),
        }),
      );
    });
}

/** What can be proposed: name, arguments as commander writes them, description, and what the arguments mean. */
const actions: readonly {
  name: string;
  args: readonly (readonly [string, string])[];
  about: string;
  toInput: (args: readonly string[], given: { config?: string }) => ProposeInput;
}[] = [
  {
    name: 'set-budget',
    args: [
      ['<model>', 'name of the model'],
      ['<agpt>', 'AGPT per UTC day, such as 5; 0 stops the model'],
    ],
    about: 'what a model may spend per UTC day, from the day after the execution',
    toInput: ([model = '', agptPerDay = '']) => ({ action: 'set-budget', model, agptPerDay }),
  },
  {
    name: 'remove-budget',
    args: [['<model>', 'name of the model']],
    about: 'let the default budget hold for a model again',
    toInput: ([model = '']) => ({ action: 'remove-budget', model }),
  },
  {
    name: 'set-default-budget',
    args: [['<agpt>', 'AGPT per model and UTC day']],
    about: 'what models may spend that have no budget of their own',
    toInput: ([agptPerDay = '']) => ({ action: 'set-default-budget', agptPerDay }),
  },
  {
    name: 'set-rate',
    args: [
      ['<token>', 'symbol or address, such as USDC'],
      ['<agpt>', 'AGPT per whole token, such as 100'],
    ],
    about: 'what a token counts against budgets',
    toInput: ([token = '', agptPerToken = '']) => ({ action: 'set-rate', token, agptPerToken }),
  },
  {
    name: 'set-price',
    args: [],
    about: "publish the root of the relay's price table, or of the one in an autopay.yaml (--config)",
    toInput: (_args, { config }) => ({ action: 'set-price', ...(config === undefined ? {} : { config }) }),
  },
  {
    name: 'retire-price',
    args: [['<root>', 'root of a published price table']],
    about: 'end a price table, 10 minutes after the execution',
    toInput: ([root = '']) => ({ action: 'retire-price', root }),
  },
  {
    name: 'add-provider',
    args: [
      ['<name>', 'as in autopay.yaml'],
      ['<payout>', 'address that its earnings go to; the zero address ends it'],
    ],
    about: 'set where a provider is paid',
    toInput: ([name = '', payout = '']) => ({ action: 'add-provider', name, payout }),
  },
  ...(['grant-relay', 'revoke-relay'] as const).map((action) => ({
    name: action,
    args: [['<address>', "the relay's account"]] as const,
    about:
      action === 'grant-relay'
        ? 'let an account collect, book, anchor and keep receipt keys'
        : 'take the roles of a relay from an account',
    toInput: ([relay = '']: readonly string[]): ProposeInput => ({ action, relay }),
  })),
  {
    name: 'rule-dispute',
    args: [
      ['<dispute>', 'its number'],
      ['<refund>', 'in whole tokens; 0 rejects the claim'],
    ],
    about: 'decide a metering dispute',
    toInput: ([disputeId = '', refund = '']) => ({ action: 'rule-dispute', disputeId, refund }),
  },
  {
    name: 'release-over-budget',
    args: [['<booking>', 'its number, as in the Booked event']],
    about: 'let providers have what a booking withheld as over budget or late',
    toInput: ([batchId = '']) => ({ action: 'release-over-budget', batchId }),
  },
];

function addProposeCommands(gov: Command, run: Run): void {
  const propose = gov
    .command('propose')
    .description('make a proposal; shows the call and its effect, simulated, before it signs');
  for (const { name, args, about, toInput } of actions) {
    const command = addSigningOptions(propose.command(name)).description(about);
    for (const [argument, description] of args) command.argument(argument, description);
    if (name === 'set-price') command.option('--config <file>', 'an autopay.yaml, instead of asking the relay');
    command.action(async () => {
      const given = command.opts<SigningOptions & { config?: string }>();
      await run(command, async (context) =>
        (await import('../commands/gov-propose.ts')).runPropose(context, given, toInput(command.args, given)),
      );
    });
  }
}
