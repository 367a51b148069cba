import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createPublicClient, http } from 'viem';
import { openDeployment, openSender, type OpenDeployment } from '../client/chain/open-deployment.ts';
import { asChainError, type Sender } from '../client/chain/send-transaction.ts';
import type { Deployment } from '../protocol/deployment/deployment-schema.ts';
import { missingDeployment, parseDeployment } from '../protocol/deployment/parse-deployment.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from './command-context.ts';
import { readWalletKey } from './read-wallet-key.ts';

/** Where `autopay deploy` writes what is deployed on which chain. */
export const addressesDir = join(import.meta.dirname, '..', 'addresses');

/** How a command finds its chain. */
export interface ChainOptions {
  /** A JSON-RPC endpoint; the contracts are then those of `addresses/<chainId>.json`. Default: the stack's. */
  rpcUrl?: string;
}

/** How a command that signs behaves. */
export interface SigningOptions extends ChainOptions {
  /** Ask nothing. */
  yes?: boolean;
}

/**
 * Opens the deployment that a command works on: the stack's, or with `--rpc-url` the one published for that chain.
 * @throws AutoPayError `stack_not_found`, `invalid_configuration`, `chain_unavailable`.
 */
export async function openCommandDeployment(context: CommandContext, options: ChainOptions): Promise<OpenDeployment> {
  if (options.rpcUrl !== undefined) {
    return openDeployment(options.rpcUrl, await readPublished(options.rpcUrl));
  }
  const stack = await context.stack();
  return openDeployment(stack.rpcUrl, stack);
}

/** A sender with the wallet's key, as `readKey` finds it; the stack's key file counts only without `--rpc-url`. */
export async function openCommandSender(
  context: CommandContext,
  options: ChainOptions,
  deployment: OpenDeployment,
): Promise<Sender> {
  const keyFile = options.rpcUrl === undefined ? (await context.stack()).wallet.keyFile : undefined;
  return openSender(deployment, await readWalletKey(keyFile === undefined ? {} : { keyFile }));
}

async function readPublished(rpcUrl: string): Promise<Deployment> {
  if (!URL.canParse(rpcUrl)) {
    throw new AutoPayError(
      'invalid_argument',
      '--rpc-url takes the URL of an endpoint, such as https://mainnet.base.org.',
    );
  }
  const reader = createPublicClient({ transport: http(rpcUrl, { retryCount: 1 }) });
  const chainId = await reader.getChainId().catch((error: unknown) => {
    throw asChainError(error, 'Reading the chain id');
  });
  const text = await readFile(join(addressesDir, `${chainId}.json`), 'utf8').catch((cause: unknown) => {
    throw missingDeployment(chainId, cause);
  });
  return parseDeployment(text, chainId);
}
