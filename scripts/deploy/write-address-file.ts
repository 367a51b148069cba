import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getAddress } from 'viem';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';

/**
 * Writes `addresses/<chainId>.json`, with checksums: what is deployed where, for whoever comes without this machine's folders.
 * @returns the file's path
 */
export async function writeAddressFile(folder: string, deployment: Deployment): Promise<string> {
  const { chainId, deployedAtBlock, contracts, tokens } = deployment;
  const file = join(folder, `${chainId}.json`);
  const content = {
    chainId,
    deployedAtBlock,
    contracts: Object.fromEntries(Object.entries(contracts).map(([name, address]) => [name, getAddress(address)])),
    tokens: Object.fromEntries(
      Object.entries(tokens).map(([symbol, token]) => [symbol, { ...token, address: getAddress(token.address) }]),
    ),
  };
  await mkdir(folder, { recursive: true });
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
  return file;
}
