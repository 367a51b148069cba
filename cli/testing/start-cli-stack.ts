import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChainDouble, type ChainDouble } from '../../client/testing/chain-double.ts';
import { doubleTerms, startRelayDouble, type RelayDouble } from '../../client/testing/relay-double.ts';
import { seedWallet, walletAddress, walletKey } from '../../client/testing/seed-wallet.ts';

/** A data folder with a stack whose relay and chain are doubles; the command line against the real ones is in test/e2e. */
export interface CliStack {
  double: RelayDouble;
  chain: ChainDouble;
  dataDir: string;
  /** Runs `autopay` on this stack, with what it is given on stdin. */
  run(args: readonly string[], given?: { env?: Record<string, string>; input?: string }): Promise<CliResult>;
  stop(): Promise<void>;
}

/** What a run of the command line ended with. */
export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts the doubles, and writes a folder with a wallet that has a channel. */
export async function startCliStack(): Promise<CliStack> {
  const double = await startRelayDouble();
  const chain = await startChainDouble();
  const dataDir = await mkdtemp(join(tmpdir(), 'autopay-cli-'));
  const seeded = await seedWallet(double);
  await cp(seeded.stateDir, join(dataDir, 'client'), { recursive: true });
  await seeded.remove();
  await writeFile(join(dataDir, 'wallet.key'), `${walletKey}\n`, { mode: 0o600 });
  await writeFile(join(dataDir, 'stack.json'), JSON.stringify(describeStack({ double, chain })), { mode: 0o600 });
  return {
    double,
    chain,
    dataDir,
    run: (args, given = {}) => runAutopay([...args, '--data-dir', dataDir], given),
    async stop() {
      await double.close();
      await chain.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function describeStack({ double, chain }: { double: RelayDouble; chain: ChainDouble }): object {
  const { chainId, escrow, payee, token, priceOracle, priceBook, keyRegistry } = doubleTerms;
  // Contracts that paying has nothing to do with.
  const others = ['auditLog', 'modelBudgets', 'paymentDesk', 'billingDisputes', 'agpt', 'governor', 'timelock'];
  return {
    version: 1,
    relayUrl: double.url,
    rpcUrl: chain.rpcUrl,
    chainId,
    deployedAtBlock: 1,
    contracts: {
      paymentChannels: escrow,
      autoPayLLM: payee,
      ...Object.fromEntries(others.map((name) => [name, `0x${'bd'.repeat(20)}`])),
      ...{ priceOracle, priceBook, keyRegistry },
    },
    tokens: { USDC: { address: token.address, decimals: 6 } },
    wallet: { address: walletAddress, keyFile: 'wallet.key' },
    blocksDir: 'blocks',
  };
}

/**
 * Runs the command line to its end.
 * @param given.file another file than its main.ts.
 */
export async function runAutopay(
  args: readonly string[],
  given: { env?: Record<string, string>; input?: string; file?: string } = {},
): Promise<CliResult> {
  const { env = {}, input = '', file = join(import.meta.dirname, '..', 'main.ts') } = given;
  const {
    AUTOPAY_WALLET_KEY: _key,
    AUTOPAY_WALLET_FILE: _file,
    AUTOPAY_WALLET_PASSWORD: _password,
    ...inherited
  } = process.env;
  const child = spawn(process.execPath, [file, ...args], { env: { ...inherited, ...env } });
  child.stdin.end(input);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
