import type { Command } from 'commander';
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
    .option('--port <n>', 'instead of listen.port of autopay.yaml; 0 picks a free one', parsePort)
    .action(async (given: { port?: number }, command: Command) => {
      await run(command, async (context) => (await import('../commands/relay.ts')).runRelay(context, given));
    });
}

function addDeployCommand(program: Command, run: Run): void {
  const collect = (value: string, list: readonly string[]): string[] => [...list, value];
  program
    .command('deploy')
    .description(
      'deploy the contracts to a network of ignition/parameters; AUTOPAY_DEPLOYER_KEY pays; repeats do nothing',
    )
    .requiredOption('--network <name>', 'base, baseSepolia, arbitrum, arbitrumSepolia, optimism, polygon or local')
    .requiredOption('--relay <address>', "the relay's account")
    .requiredOption('--bond-payout <address>', "where the relay's bond goes back to")
    .requiredOption('--agpt-holder <address>', 'gets all AGPT, and so all votes')
    .option('--agpt-supply <n>', 'whole AGPT', '1000000000')
    .option('--guardian <address>', 'may stop booking and relays for a short time (default: nobody)')
    .option('--provider <name=address>', 'where a provider is paid; may be repeated', collect, [])
    .option('--prices-from <file>', 'the autopay.yaml whose prices hold at first (default: none)')
    .option('--rpc-url <url>', "instead of the network's public endpoint")
    .action(async (given: DeployOptions, command: Command) => {
      await run(command, async () => (await (await import('../commands/deploy.ts')).runDeploy(given)) === 0);
    });
}
