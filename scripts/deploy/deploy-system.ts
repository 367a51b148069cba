import { getAddress } from 'viem';
import type { Address, Hex } from 'viem';
import { agptModule } from '../../ignition/modules/Agpt.ts';
import { autoPayModule, type AutoPayPlan } from '../../ignition/modules/AutoPay.ts';
import { tokensModule } from '../../ignition/modules/Tokens.ts';
import { deploymentSchema, type DeployedTokens, type Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { checkDeployment } from './check-deployment.ts';
import {
  readCompleted,
  recordChoices,
  recordCompleted,
  recordFirstBlock,
  recordFoundation,
  requireSameChain,
} from './deployment-folder.ts';
import type { DeploymentPlace, OperatorChoices } from './deployment-options.ts';
import type { NetworkParameters } from './network-parameters.ts';
import { withHardhat } from './open-hardhat.ts';
import { dropUnsentTransactions } from './drop-unsent-transactions.ts';
import { placeStandIns } from './place-stand-ins.ts';
import { planDeployment, requireConsistentTimes, TOKEN_DECIMALS } from './plan-deployment.ts';

/** What to deploy, and where. */
export interface DeploySystemOptions extends DeploymentPlace {
  network: NetworkParameters;
  choices: OperatorChoices;
  /**
   * Root of the price table that holds from the deployment on; zero: none until the vote publishes one. Asked once the
   * tokens are there, because its rows name them by address.
   */
  priceRootOf: (tokens: DeployedTokens) => Hex | Promise<Hex>;
}

// The default polls each second for five confirmations; the chains meant here order blocks centrally.
const ignitionConfig = { requiredConfirmations: 1, blockPollingInterval: 100 };

/** The parts of Hardhat's connection that deploy. */
type Ignition = Parameters<Parameters<typeof withHardhat>[1]>[0]['connection']['ignition'];

/**
 * Deploys what is not deployed yet, hands every power over, and compares what is on the chain with what was asked for. A
 * repeat sends no transaction; after an interruption it goes on where that was.
 *
 * @throws AutoPayError `invalid_configuration` if the endpoint is on another chain than said, or the folder is of a chain that
 *   is gone or of another deployment, or the times contradict each other; `verification_failed` if the chain does not show what was asked for
 */
export async function deploySystem(options: DeploySystemOptions): Promise<Deployment> {
  const { deploymentDir, network, chainId } = options;
  requireConsistentTimes(network);
  return withHardhat(options, async ({ connection, request }) => {
    await requireSameChain(deploymentDir, chainId, request);
    const deployedAtBlock = await recordFirstBlock(deploymentDir, BigInt((await request('eth_blockNumber')) as string));
    await dropUnsentTransactions(deploymentDir, chainId, request);
    const choices = await recordChoices(deploymentDir, options.choices);
    const completed = await readCompleted(deploymentDir);
    if (completed !== undefined) return completed;

    const { tokens, priceRoot } = await recordFoundation(deploymentDir, async () => {
      const found = await deployTokens(connection.ignition, network, choices);
      return { tokens: found, priceRoot: await options.priceRootOf(found) };
    });
    await placeStandIns(request, network);
    const plan = planDeployment(network, choices, { usdc: addressOf(tokens, 'USDC'), priceRoot });
    const contracts = await deployContracts(connection.ignition, plan);
    const deployment = deploymentSchema.parse({ chainId, deployedAtBlock, contracts, tokens });
    await checkDeployment({ rpcUrl: options.rpcUrl, deployment, plan });
    await recordCompleted(deploymentDir, deployment);
    return deployment;
  });
}

function addressOf(tokens: DeployedTokens, symbol: string): Address {
  const token = tokens[symbol];
  if (token === undefined) throw new Error(`the deployment has no ${symbol}`);
  return getAddress(token.address);
}

/** USDC, found or deployed, and AGPT. */
async function deployTokens(
  ignition: Ignition,
  network: NetworkParameters,
  choices: OperatorChoices,
): Promise<DeployedTokens> {
  const plan = { holder: choices.agptHolder, supply: choices.agptSupply };
  let usdc: string | undefined = choices.usdc ?? network.usdc?.address;
  let agpt: string;
  if (usdc === undefined) {
    const deployed = await ignition.deploy(tokensModule(plan), { config: ignitionConfig });
    [agpt, usdc] = [await deployed.agpt.getAddress(), await deployed.usdc.getAddress()];
  } else {
    const deployed = await ignition.deploy(agptModule(plan), { config: ignitionConfig });
    agpt = await deployed.agpt.getAddress();
  }
  const token = (symbol: keyof typeof TOKEN_DECIMALS, address: string) => ({
    address: address.toLowerCase() as Hex,
    decimals: TOKEN_DECIMALS[symbol],
  });
  return { USDC: token('USDC', usdc), AGPT: token('AGPT', agpt) };
}

async function deployContracts(ignition: Ignition, plan: AutoPayPlan): Promise<Record<string, string>> {
  const deployed = await ignition.deploy(autoPayModule(plan), { config: ignitionConfig });
  const addresses: Record<string, string> = {};
  for (const [name, contract] of Object.entries(deployed)) addresses[name] = await contract.getAddress();
  return addresses;
}
