/**
 * Deploys the contracts in a process of its own, for a parent that talks JSON lines (scripts/stack/run-deployment.ts).
 * People deploy by `autopay deploy`. Run `npx hardhat build` first.
 *
 *   ← {"rpcUrl", "chainId", "deploymentDir", "choices"}   and DEPLOYER_PRIVATE_KEY in the environment
 *   → {"tokens"}                                          once the tokens are there, if a price root is still to be named
 *   ← {"priceRoot"}
 *   → {"deployment"}
 */
import { createInterface } from 'node:readline';
import { isHex, zeroHash } from 'viem';
import type { Hex } from 'viem';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { deploySystem } from './deploy/deploy-system.ts';
import { deploymentPlaceSchema, operatorChoicesSchema } from './deploy/deployment-options.ts';
import { readParametersOfChain } from './deploy/network-parameters.ts';

const requestSchema = deploymentPlaceSchema.extend({ choices: operatorChoicesSchema });

async function run(): Promise<void> {
  const deployerPrivateKey = process.env['DEPLOYER_PRIVATE_KEY'];
  if (!isHex(deployerPrivateKey) || deployerPrivateKey.length !== 66) {
    throw new AutoPayError('invalid_argument', 'Set DEPLOYER_PRIVATE_KEY to 0x and 64 hex digits.');
  }
  const lines = createInterface({ input: process.stdin });
  try {
    const input = lines[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => JSON.parse(String((await input.next()).value));
    const say = (value: object) => void process.stdout.write(`${JSON.stringify(value)}\n`);
    const { choices, ...place } = requestSchema.parse(await next());
    const deployment = await deploySystem({
      ...place,
      deployerPrivateKey,
      network: readParametersOfChain(place.chainId),
      choices,
      async priceRootOf(tokens) {
        say({ tokens });
        const { priceRoot } = (await next()) as { priceRoot?: unknown };
        return isHex(priceRoot) && priceRoot.length === 66 ? priceRoot : (zeroHash satisfies Hex);
      },
    });
    say({ deployment });
  } finally {
    lines.close();
    process.stdin.destroy();
  }
}

try {
  await run();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
