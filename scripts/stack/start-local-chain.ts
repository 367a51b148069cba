import { join } from 'node:path';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { findFreePort } from './find-port.ts';
import { spawnPart, type Part } from './spawn-part.ts';

/** The chain id of the local chain (`networks.l2` in hardhat.config.ts), and of development chains by custom. */
export const LOCAL_CHAIN_ID = 31_337;

/** The first account that Hardhat funds on its own chain. The key is public: it is worth something nowhere else. */
export const LOCAL_DEPLOYER_KEY: Hex = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

/** Arguments for Node that make it an L2 (OP stack) in memory, on a port of the loopback address. */
export function localChainArguments(root: string, port: number): string[] {
  const cli = join(root, 'node_modules/hardhat/dist/src/cli.js');
  return [cli, 'node', '--network', 'l2', '--hostname', '127.0.0.1', '--port', String(port)];
}

/**
 * Starts an L2 (OP stack) in memory, in a process of its own, on a free port of the loopback address.
 * @param options.start when the chain begins, instead of now (AUTOPAY_CHAIN_START in hardhat.config.ts)
 */
export async function startLocalChain(options: { root: string; logsDir: string; start?: Date }): Promise<Part<string>> {
  const port = await findFreePort();
  return spawnPart({
    name: 'chain',
    args: localChainArguments(options.root, port),
    cwd: options.root,
    ...(options.start === undefined ? {} : { env: { AUTOPAY_CHAIN_START: options.start.toISOString() } }),
    logsDir: options.logsDir,
    readReady: (line) => (line.includes('Started HTTP') ? `http://127.0.0.1:${port}` : undefined),
    readyTimeoutMs: 60_000,
  });
}
