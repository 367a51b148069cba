/**
 * Deploys the contracts with Hardhat Ignition to any chain that speaks JSON-RPC.
 * As a program: `node scripts/deploy-contracts.ts --help`. Run `npx hardhat build` first.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createHardhatRuntimeEnvironment } from 'hardhat/hre';
import { getAddress, isAddress, isHex } from 'viem';
import type { Address, Hex } from 'viem';
import config from '../hardhat.config.ts';
import { autoPayModule, payoutParameter } from '../ignition/modules/AutoPay.ts';
import localUsdcModule from '../ignition/modules/LocalUsdc.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

export interface DeployContractsOptions {
  /** JSON-RPC endpoint. */
  rpcUrl: string;
  /** Chain that the endpoint must be on. */
  chainId: number;
  /** Account that pays for the deployment and becomes admin. */
  deployerPrivateKey: Hex;
  /** Gets RELAY_ROLE and ANCHOR_ROLE. */
  relayAddress: Address;
  /** Payout address of each provider, by name. */
  providers: Readonly<Record<string, Address>>;
  /** Time between booking and release, seconds; 3600 … 2592000. */
  disputeWindowSeconds: number;
  /** Folder for Ignition's journal. It belongs to one chain: keep it with the chain's data, and drop it with them. */
  deploymentDir: string;
  /** USDC of the chain; without it the real FiatTokenV2_2 is deployed. */
  usdc?: Address;
}

export interface DeployedContracts {
  paymentChannels: Address;
  autoPayLLM: Address;
  auditLog: Address;
  modelBudgets: Address;
  usdc: Address;
  /** First block that may hold an event of these contracts. */
  deployedAtBlock: bigint;
}

/**
 * Deploys what is not deployed yet; a repeat with the same folder sends no transaction.
 *
 * @throws AutoPayError `invalid_configuration` if the endpoint is on another chain than said, or the folder is of a chain that is gone
 */
export async function deployContracts(options: DeployContractsOptions): Promise<DeployedContracts> {
  const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..');
  const deploymentDir = resolve(options.deploymentDir);
  const hre = await createHardhatRuntimeEnvironment(
    {
      ...config,
      paths: { ...config.paths, ignition: deploymentDir },
      networks: {
        target: {
          type: 'http',
          url: options.rpcUrl,
          accounts: [options.deployerPrivateKey],
          ignition: { maxRetries: 10, retryInterval: 500 },
        },
      },
    },
    {},
    projectRoot,
  );
  const connection = await hre.network.create('target');
  try {
    const endpointChainId = Number(await connection.provider.request({ method: 'eth_chainId' }));
    if (endpointChainId !== options.chainId) {
      throw new AutoPayError(
        'invalid_configuration',
        `The RPC endpoint is on chain ${endpointChainId}, not on ${options.chainId}; give the endpoint of that chain.`,
      );
    }
    const request = (method: string, ...params: unknown[]) => connection.provider.request({ method, params });
    await requireSameChain({ deploymentDir, chainId: options.chainId, request });
    const blockNumber = BigInt((await request('eth_blockNumber')) as string);
    const deployedAtBlock = await recordFirstBlock({ deploymentDir, blockNumber });

    // The default polls each second for five confirmations; the chains meant here order blocks centrally.
    const ignitionConfig = { requiredConfirmations: 1, blockPollingInterval: 100 };
    const usdc = options.usdc ?? (await deployUsdc());
    const parameters: Record<string, string | number> = {
      relay: options.relayAddress,
      disputeWindowSeconds: options.disputeWindowSeconds,
    };
    for (const [provider, payout] of Object.entries(options.providers)) parameters[payoutParameter(provider)] = payout;
    const contracts = await connection.ignition.deploy(autoPayModule(Object.keys(options.providers)), {
      parameters: { AutoPay: parameters },
      config: ignitionConfig,
    });
    return {
      paymentChannels: getAddress(await contracts.paymentChannels.getAddress()),
      autoPayLLM: getAddress(await contracts.autoPayLLM.getAddress()),
      auditLog: getAddress(await contracts.auditLog.getAddress()),
      modelBudgets: getAddress(await contracts.modelBudgets.getAddress()),
      usdc,
      deployedAtBlock,
    };

    async function deployUsdc(): Promise<Address> {
      const deployed = await connection.ignition.deploy(localUsdcModule, { config: ignitionConfig });
      return getAddress(await deployed.usdc.getAddress());
    }
  } finally {
    await connection.close();
  }
}

/** The text of a file, or undefined if there is none. */
async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * A local chain forgets everything when it stops, and the journal does not: Ignition would then answer with addresses at
 * which there is nothing.
 */
async function requireSameChain(options: {
  deploymentDir: string;
  chainId: number;
  request: (method: string, ...params: unknown[]) => Promise<unknown>;
}): Promise<void> {
  const file = join(options.deploymentDir, 'deployments', `chain-${options.chainId}`, 'deployed_addresses.json');
  const addresses = JSON.parse((await readIfPresent(file)) ?? '{}') as Record<string, string>;
  for (const [name, address] of Object.entries(addresses)) {
    if ((await options.request('eth_getCode', address, 'latest')) !== '0x') continue;
    throw new AutoPayError(
      'invalid_configuration',
      `${options.deploymentDir} says that ${name} is at ${address}, but the chain has nothing there: it has started anew. Use a new folder.`,
    );
  }
}

/** Remembers beside the journal where the deployment began, so that a repeat answers the same. */
async function recordFirstBlock(options: { deploymentDir: string; blockNumber: bigint }): Promise<bigint> {
  const file = join(options.deploymentDir, 'first-block.json');
  const text = await readIfPresent(file);
  if (text !== undefined) return BigInt((JSON.parse(text) as { firstBlock: string }).firstBlock);
  await mkdir(options.deploymentDir, { recursive: true });
  await writeFile(file, `${JSON.stringify({ firstBlock: options.blockNumber.toString() })}\n`);
  return options.blockNumber;
}

const usage = `Deploys the AutoPayLLM contracts.

  node scripts/deploy-contracts.ts --rpc-url URL --chain-id N --relay ADDRESS --deployment-dir DIR [options]

  --provider NAME=ADDRESS   payout address of a provider; may be repeated
  --dispute-window SECONDS  between booking and release (default 3600)
  --usdc ADDRESS            USDC of the chain; without it FiatTokenV2_2 is deployed
  --help                    this text

DEPLOYER_PRIVATE_KEY in the environment is the account that pays; it becomes admin.
A repeat with the same folder deploys only what is missing. Prints the addresses as JSON.
`;

function requireAddress(text: string | undefined, option: string): Address {
  if (text !== undefined && isAddress(text)) return text;
  throw new AutoPayError('invalid_argument', `${option} needs an address (0x and 40 hex digits).`);
}

async function runCli(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'rpc-url': { type: 'string' },
      'chain-id': { type: 'string' },
      relay: { type: 'string' },
      provider: { type: 'string', multiple: true, default: [] },
      'dispute-window': { type: 'string', default: '3600' },
      'deployment-dir': { type: 'string' },
      usdc: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const deployerPrivateKey = process.env['DEPLOYER_PRIVATE_KEY'];
  if (!values['rpc-url'] || !values['deployment-dir'] || !/^\d+$/.test(values['chain-id'] ?? '')) {
    throw new AutoPayError('invalid_argument', 'Give --rpc-url, --chain-id and --deployment-dir; see --help.');
  }
  if (!isHex(deployerPrivateKey) || deployerPrivateKey.length !== 66) {
    throw new AutoPayError('invalid_argument', 'Set DEPLOYER_PRIVATE_KEY to 0x and 64 hex digits.');
  }
  const providers: Record<string, Address> = {};
  for (const pair of values.provider) {
    const cut = pair.lastIndexOf('=');
    providers[pair.slice(0, Math.max(cut, 0))] = requireAddress(pair.slice(cut + 1), '--provider NAME=ADDRESS');
  }
  const deployed = await deployContracts({
    rpcUrl: values['rpc-url'],
    chainId: Number(values['chain-id']),
    deployerPrivateKey,
    relayAddress: requireAddress(values.relay, '--relay'),
    providers,
    disputeWindowSeconds: Number(values['dispute-window']),
    deploymentDir: values['deployment-dir'],
    ...(values.usdc === undefined ? {} : { usdc: requireAddress(values.usdc, '--usdc') }),
  });
  const printable = { ...deployed, deployedAtBlock: deployed.deployedAtBlock.toString() };
  process.stdout.write(`${JSON.stringify(printable, null, 2)}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await runCli();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
