import { join, resolve } from 'node:path';
import { createHardhatRuntimeEnvironment } from 'hardhat/hre';
import config from '../../hardhat.config.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { RpcRequest } from './deployment-folder.ts';
import type { DeploymentPlace } from './deployment-options.ts';

/**
 * Opens Hardhat on a chain behind JSON-RPC, with the journal in the deployment's folder, and hands it to `use`.
 *
 * @throws AutoPayError `invalid_configuration` if the endpoint is on another chain than said
 */
export async function withHardhat<T>(
  place: DeploymentPlace,
  use: (opened: Awaited<ReturnType<typeof openConnection>> & { request: RpcRequest }) => Promise<T>,
): Promise<T> {
  const opened = await openConnection(place);
  const { connection } = opened;
  try {
    const request: RpcRequest = (method, ...params) => connection.provider.request({ method, params });
    const actual = Number(await request('eth_chainId'));
    if (actual !== place.chainId) {
      throw new AutoPayError(
        'invalid_configuration',
        `The RPC endpoint is on chain ${actual}, not on ${place.chainId}; give the endpoint of that chain.`,
      );
    }
    return await use({ ...opened, request });
  } finally {
    await connection.close();
  }
}

async function openConnection(place: DeploymentPlace) {
  const hre = await createHardhatRuntimeEnvironment(
    {
      ...config,
      paths: { ...config.paths, ignition: resolve(place.deploymentDir) },
      verify: { etherscan: { apiKey: process.env['ETHERSCAN_API_KEY'] ?? '' } },
      networks: {
        target: {
          type: 'http',
          url: place.rpcUrl,
          accounts: [place.deployerPrivateKey],
          ignition: { maxRetries: 10, retryInterval: 500 },
        },
      },
    },
    { network: 'target' },
    join(import.meta.dirname, '../..'),
  );
  return { hre, connection: await hre.network.create('target') };
}
