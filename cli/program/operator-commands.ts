import { Option, type Command } from 'commander';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { addCommonOptions } from '../command-context.ts';
import type { DeployOptions } from '../commands/deploy.ts';
import { parsePort, type Run } from './run-command.ts';

/** Commands of whoever runs a relay. */
export function addOperatorCommands(program: Command, run: Run): void {
  addFsckCommand(program, run);
  addRelayCommand(program, run);
  addDeployCommand(program, run);
}

function addFsckCommand(program: Command, run: Run): void {
  addCommonOptions(program.command('fsck'))
    .description("recompute the relay's books from ledger, blocks and chain, with code of its own")
    .option('--rpc-url <url>', 'instead of the endpoint in autopay.yaml')
    .option('--offline', 'check ledger and blocks only')
    .action(async (given: { rpcUrl?: string; offline?: boolean }, command: Command) => {
      const { offline: isOffline = false, ...rest } = given;
      await run(command, async (context) =>
        (await import('../commands/fsck.ts')).runFsck(context, { isOffline, ...rest }),
      );
    });
}

function addRelayCommand(program: Command, run: Run): void {
  addCommonOptions(program.command('relay'))
    .description('run the relay alone on an existing data folder (autopay.yaml, keys/), until Ctrl-C')
    .option(
      '--config <file>',
      'a file of LiteLLM or of the blueprint that autopay.yaml takes in; or another autopay.yaml',
    )
    .option('--port <n>', 'instead of listen.port of autopay.yaml; 0 picks a free one', parsePort)
    .action(async ({ config, ...given }: { config?: string; port?: number }, command: Command) => {
      const options = { ...given, ...(config !== undefined && { configFile: config }) };
      await run(command, async (context) => (await import('../commands/relay.ts')).runRelay(context, options));
    });
}

/** The files of ignition/parameters. */
const networks = ['base', 'baseSepolia', 'arbitrum', 'arbitrumSepolia', 'optimism', 'polygon', 'local'];

function addDeployCommand(program: Command, run: Run): void {
  const collect = (value: string, list: readonly string[]): string[] => [...list, value];
  program
    .command('deploy')
    .description(
      'deploy the contracts to a network of ignition/parameters; AUTOPAY_DEPLOYER_KEY pays; repeats do nothing',
    )
    // Not required of commander, whose complaint would not name the choices.
    .addOption(new Option('--network <name>', 'where to deploy; required').choices(networks))
    .requiredOption('--relay <address>', "the relay's account")
    .requiredOption('--bond-payout <address>', "where the relay's bond goes back to")
    .requiredOption('--agpt-holder <address>', 'gets all AGPT, and so all votes')
    .option('--agpt-supply <n>', 'whole AGPT', '1000000000')
    .option('--guardian <address>', 'may stop booking and relays for a short time (default: nobody)')
    .option('--provider <name=address>', 'where a provider is paid; may be repeated', collect, [])
    .option('--prices-from <file>', 'the autopay.yaml whose prices hold at first (default: none)')
    .option('--rpc-url <url>', "instead of the network's public endpoint")
    .action(async ({ network, ...given }: Omit<DeployOptions, 'network'> & { network?: string }, command: Command) => {
      if (network === undefined) {
        throw new AutoPayError('invalid_argument', `--network is missing: choose one of ${networks.join(', ')}.`);
      }
      const options = { network, ...given };
      await run(command, async () => (await (await import('../commands/deploy.ts')).runDeploy(options)) === 0);
    });
}
