import { createPublicClient, formatEther, http, parseAbi } from 'viem';
import type { Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Gas that the deployment and its handover take where USDC is there already, with a margin of a tenth; a test compares it. */
export const DEPLOYMENT_GAS = 31_800_000n;

/** Bytes of all its transactions, for what OP-stack chains charge for data. */
export const DEPLOYMENT_BYTES = 160_000n;

/** The fee oracle of OP-stack chains (predeploy `GasPriceOracle`). */
const gasPriceOracle = '0x420000000000000000000000000000000000000F';
const gasPriceOracleAbi = parseAbi(['function getL1FeeUpperBound(uint256 unsignedTxSize) view returns (uint256)']);

/**
 * Estimates what a deployment costs, at one and a half times today's gas price, and refuses to begin one that could not be
 * completed.
 *
 * @returns the estimate, wei
 * @throws AutoPayError `insufficient_balance` with the missing amount
 */
export async function requireBalance(options: {
  rpcUrl: string;
  deployerPrivateKey: Hex;
  /** What gas is paid in. */
  nativeToken: string;
}): Promise<bigint> {
  const reader = createPublicClient({ transport: http(options.rpcUrl) });
  const { address } = privateKeyToAccount(options.deployerPrivateKey);
  const gasPrice = await reader.getGasPrice();
  const dataFee = await reader
    .readContract({
      ...{ address: gasPriceOracle, abi: gasPriceOracleAbi, functionName: 'getL1FeeUpperBound' },
      args: [DEPLOYMENT_BYTES],
    })
    // Not an OP-stack chain. Where data is paid for in gas (Arbitrum), the half on top is for that.
    .catch(() => 0n);
  const needed = ((DEPLOYMENT_GAS * gasPrice + dataFee) * 3n) / 2n;
  const held = await reader.getBalance({ address });
  if (held >= needed) return needed;
  const [neededText, heldText] = [formatEther(needed), formatEther(held)];
  const missing = formatEther(needed - held);
  throw new AutoPayError(
    'insufficient_balance',
    `The deployer ${address} has ${heldText} ${options.nativeToken}, and the deployment may take ${neededText}: send it ${missing} ${options.nativeToken}.`,
    { facts: { deployer: address, held: String(held), needed: String(needed), missing: String(needed - held) } },
  );
}
