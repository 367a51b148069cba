import { createPublicClient, http, type PublicClient, type Transport } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { TokenUnit } from '../token-amount.ts';
import { asChainError, createSender, type Sender } from './send-transaction.ts';

const requestTimeoutMs = 20_000;
/** The chain that Hardhat and Anvil simulate mines at once; elsewhere, polling faster than blocks come gains nothing. */
const simulatedChainId = 31_337;

/** A deployment on a chain that answers. */
export interface OpenDeployment extends Deployment {
  reader: PublicClient;
  transport: Transport;
  /**
   * The time at which the next block would be, in unix seconds: what contracts would go by now. It differs from the clock
   * where the chain's time was moved.
   */
  now(): Promise<number>;
}

/**
 * Opens a deployment for reading.
 * @throws AutoPayError `chain_unavailable` if the endpoint does not answer or is on another chain, `invalid_configuration`
 *   if the contracts are not there.
 */
export async function openDeployment(rpcUrl: string, deployment: Deployment): Promise<OpenDeployment> {
  const transport = http(rpcUrl, { timeout: requestTimeoutMs, retryCount: 2 });
  const pollingInterval = deployment.chainId === simulatedChainId ? 50 : 1_000;
  const reader = createPublicClient({ transport, pollingInterval });
  try {
    const actual = await reader.getChainId();
    if (actual !== deployment.chainId) {
      throw new AutoPayError(
        'chain_unavailable',
        `The RPC endpoint is on chain ${actual}, the contracts on ${deployment.chainId}. Give an endpoint of that chain.`,
      );
    }
    const { governor } = deployment.contracts;
    if ((await reader.getCode({ address: governor })) === undefined) {
      throw new AutoPayError(
        'invalid_configuration',
        `There is no contract at ${governor}, where the governor should be. Has the chain been started anew?`,
      );
    }
  } catch (error) {
    throw asChainError(error, 'Reading the chain');
  }
  return {
    ...deployment,
    reader,
    transport,
    async now() {
      const block = await reader.getBlock({ blockTag: 'pending' }).catch(() => reader.getBlock());
      return Number(block.timestamp);
    },
  };
}

/** A sender for the account of a private key (0x-hex). */
export function openSender(deployment: OpenDeployment, privateKey: Hex): Sender {
  const { reader, transport } = deployment;
  return createSender({ reader, transport, account: privateKeyToAccount(privateKey) });
}

/** The AGPT of a deployment, as amounts of it are written. */
export const agptUnit: TokenUnit = { symbol: 'AGPT', decimals: 18 };

/** The deployment's token at an address; one that it does not know is written in atomic units. */
export function unitOfToken(deployment: Deployment, address: string): TokenUnit {
  const wanted = address.toLowerCase();
  if (wanted === deployment.contracts.agpt) return agptUnit;
  const known = Object.entries(deployment.tokens).find(([, token]) => token.address === wanted);
  return known
    ? { symbol: known[0], decimals: known[1].decimals }
    : { symbol: `atomic units of ${wanted}`, decimals: 0 };
}

/**
 * A token that a user named, by symbol or address.
 * @throws AutoPayError `invalid_argument` if the deployment does not know it.
 */
export function findToken(deployment: Deployment, symbolOrAddress: string): TokenUnit & { address: Hex } {
  const wanted = symbolOrAddress.toLowerCase();
  const tokens = { ...deployment.tokens, AGPT: { address: deployment.contracts.agpt, decimals: agptUnit.decimals } };
  const known = Object.entries(tokens).find(
    ([symbol, { address }]) => symbol.toLowerCase() === wanted || address === wanted,
  );
  if (known) return { symbol: known[0], ...known[1] };
  throw new AutoPayError(
    'invalid_argument',
    `There is no token ${symbolOrAddress} here. Known are: ${Object.keys(tokens).join(', ')}.`,
  );
}
