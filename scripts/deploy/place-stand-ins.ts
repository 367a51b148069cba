import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../protocol/x402/addresses.ts';
import type { RpcRequest } from './deployment-folder.ts';
import type { NetworkParameters } from './network-parameters.ts';

const root = join(import.meta.dirname, '../..');

/**
 * Puts on a development chain what it lacks of the contracts by which wallets pay single calls, at the addresses that they
 * have everywhere: Permit2 as Uniswap's source compiles, and stand-ins of x402's two proxies (contracts/mocks), whose code is
 * not published in a form that can be compiled here. Nothing is sent: the node is told the code, which only development
 * nodes (Hardhat, anvil) allow. On other chains nothing happens, and payments by Permit2 fail until the contracts are there.
 *
 * @param network only what its parameters say is missing is placed
 */
export async function placeStandIns(
  request: RpcRequest,
  network: Pick<NetworkParameters, 'permit2' | 'x402'>,
): Promise<void> {
  const missing: [Hex, () => Promise<Hex>][] = [];
  if (network.permit2 === null) missing.push([permit2Address, readPermit2]);
  if (network.x402 === null) {
    missing.push([exactProxyAddress, () => readStandIn('X402ExactPermit2Proxy')]);
    missing.push([uptoProxyAddress, () => readStandIn('X402UptoPermit2Proxy')]);
  }
  for (const [address, readCode] of missing) {
    if ((await request('eth_getCode', address, 'latest')) !== '0x') continue;
    const code = await readCode();
    try {
      await request('hardhat_setCode', address, code);
    } catch {
      // No development node: see above.
      return;
    }
  }
}

async function readPermit2(): Promise<Hex> {
  const file = join(root, 'contracts/mocks/permit2.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { runtimeCode: Hex }).runtimeCode;
}

async function readStandIn(name: string): Promise<Hex> {
  const file = join(root, `artifacts/contracts/mocks/${name}.sol/${name}.json`);
  return (JSON.parse(await readFile(file, 'utf8')) as { deployedBytecode: Hex }).deployedBytecode;
}
