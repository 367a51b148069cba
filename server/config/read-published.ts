import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { missingDeployment, parseDeployment } from '../../protocol/deployment/parse-deployment.ts';

/** Where `autopay deploy` writes what is deployed on which chain. */
export const addressesDir = join(import.meta.dirname, '../../addresses');

/**
 * Reads what is published of a chain.
 * @param folder `addresses/`
 * @throws AutoPayError `invalid_configuration` if there is no such file, or it is malformed or tells of another chain
 */
export function readPublished(folder: string, chainId: number): Deployment {
  let text: string;
  try {
    text = readFileSync(join(folder, `${chainId}.json`), 'utf8');
  } catch (cause) {
    throw missingDeployment(chainId, cause);
  }
  return parseDeployment(text, chainId);
}
