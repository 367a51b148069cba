import hre from 'hardhat';
import { getAddress, zeroHash } from 'viem';
import type { Address, Hex } from 'viem';
import { autoPayModule } from '../../ignition/modules/AutoPay.ts';
import localUsdcModule from '../../ignition/modules/LocalUsdc.ts';
import { readNetworkParameters } from '../../scripts/deploy/network-parameters.ts';
import { placeStandIns } from '../../scripts/deploy/place-stand-ins.ts';
import { planDeployment } from '../../scripts/deploy/plan-deployment.ts';

/** AGPT wei that the payer of these deployments gets: all there is. */
export const AGPT_SUPPLY = 1_000_000_000n * 10n ** 18n;

/** What a test may choose. */
export interface DeployInProcessOptions {
  /** Names of the providers; all are paid at `payout`. */
  providers?: readonly string[];
  /** Root of the first price table; none by default. */
  priceRoot?: Hex;
}

/**
 * Deploys the whole system with the real USDC and Permit2 on a chain in this process, by the modules and local parameters that
 * production uses. The deployer mints USDC and holds nothing else; the payer holds all AGPT.
 */
export async function deployInProcess(options: DeployInProcessOptions = {}) {
  const connection = await hre.network.create('l2');
  const { ethers, ignition, networkHelpers } = connection;
  const [deployer, relay, payer, payout, guardian] = await ethers.getSigners();
  if (!deployer || !relay || !payer || !payout || !guardian) throw new Error('the chain has too few accounts');
  const address = (account: { address: string }): Address => getAddress(account.address);
  const { usdc } = await ignition.deploy(localUsdcModule);
  const choices = {
    relay: address(relay),
    guardian: address(guardian),
    bondPayout: address(payout),
    agptHolder: address(payer),
    agptSupply: AGPT_SUPPLY,
    providers: Object.fromEntries((options.providers ?? ['simulated']).map((name) => [name, address(payout)])),
  };
  const network = readNetworkParameters('local');
  await placeStandIns((method, ...params) => connection.provider.request({ method, params }), network);
  const plan = planDeployment(network, choices, {
    usdc: getAddress(await usdc.getAddress()),
    priceRoot: options.priceRoot ?? zeroHash,
  });
  const contracts = await ignition.deploy(autoPayModule(plan));
  return { ethers, networkHelpers, plan, usdc, ...contracts, deployer, relay, payer, payout, guardian };
}

/** A system as `deployInProcess` made it. */
export type DeployedSystem = Awaited<ReturnType<typeof deployInProcess>>;

/** Puts up a bond of 10,000 USDC, which the deployer mints, and returns its amount. */
export async function putUpBond({ usdc, autoPayLLM, deployer }: DeployedSystem): Promise<bigint> {
  const amount = 10_000_000_000n;
  await usdc.getFunction('mint')(deployer.address, amount);
  await usdc.getFunction('approve')(await autoPayLLM.getAddress(), amount);
  await autoPayLLM.getFunction('depositBond')(await usdc.getAddress(), amount);
  return amount;
}
