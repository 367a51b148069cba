import { z } from 'zod';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { deploymentSchema, type Deployment } from './deployment-schema.ts';

/**
 * Reads the text of `addresses/<chainId>.json`, which `autopay deploy` writes and server, client and checker read.
 *
 * @param text the file's content
 * @param chainId the chain that is asked about
 * @throws AutoPayError `invalid_configuration` if it is malformed, or tells of another chain
 */
export function parseDeployment(text: string, chainId: number): Deployment {
  const file = `addresses/${chainId}.json`;
  let deployment: Deployment;
  try {
    deployment = deploymentSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it is no JSON';
    throw new AutoPayError('invalid_configuration', `${file} cannot be read (${reason}). Run autopay deploy again.`, {
      cause,
    });
  }
  if (deployment.chainId === chainId) return deployment;
  throw new AutoPayError(
    'invalid_configuration',
    `${file} tells of chain ${deployment.chainId}. Rename it to ${deployment.chainId}.json, and run autopay deploy for chain ${chainId}.`,
  );
}

/** The fault where there is no `addresses/<chainId>.json`. */
export function missingDeployment(chainId: number, cause: unknown): AutoPayError {
  return new AutoPayError(
    'invalid_configuration',
    `Nothing is known to be deployed on chain ${chainId}: there is no addresses/${chainId}.json. Run autopay deploy.`,
    { cause },
  );
}
