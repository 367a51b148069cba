/**
 * `autopay deploy`, in a process of its own: reads one JSON object from standard input (`requestSchema`), and
 * AUTOPAY_DEPLOYER_KEY from the environment. Says on standard error what it does, and on standard output what is deployed.
 */
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { isHex, parseUnits } from 'viem';
import * as chains from 'viem/chains';
import { z } from 'zod';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { deploySystem } from './deploy/deploy-system.ts';
import { readCompleted } from './deploy/deployment-folder.ts';
import { operatorChoicesSchema } from './deploy/deployment-options.ts';
import { describeVotes } from './deploy/describe-votes.ts';
import { readNetworkParameters } from './deploy/network-parameters.ts';
import { readPriceRoot } from './deploy/read-price-root.ts';
import { requireBalance } from './deploy/require-balance.ts';
import { requireForeignContracts } from './deploy/require-foreign-contracts.ts';
import { verifySources } from './deploy/verify-sources.ts';
import { writeAddressFile } from './deploy/write-address-file.ts';

const root = join(import.meta.dirname, '..');
const say = (line: string) => void process.stderr.write(`autopay: ${line}\n`);

const requestSchema = operatorChoicesSchema.omit({ agptSupply: true }).extend({
  network: z.string().min(1),
  /** The chain's public endpoint by default. */
  rpcUrl: z.url().optional(),
  /** Whole AGPT. */
  agptSupply: z.string().regex(/^[1-9][0-9]*$/),
  /** autopay.yaml whose routes are the first price table. */
  pricesFrom: z.string().optional(),
  /** Where the journal (.autopay/deployments) and addresses/ are kept; the project by default. */
  folder: z.string().default(root),
});

function requireKey(): `0x${string}` {
  const key = process.env['AUTOPAY_DEPLOYER_KEY'];
  if (isHex(key) && key.length === 66) return key;
  throw new AutoPayError(
    'invalid_argument',
    'Set AUTOPAY_DEPLOYER_KEY to the private key (0x and 64 hex digits) of the account that pays for the deployment.',
  );
}

function findRpcUrl(chainId: number): string {
  const url = Object.values(chains).find((chain) => chain.id === chainId)?.rpcUrls.default.http[0];
  if (url !== undefined) return url;
  throw new AutoPayError('invalid_argument', `No endpoint of chain ${chainId} is known: give --rpc-url.`);
}

async function run(): Promise<void> {
  const request = requestSchema.parse(JSON.parse(await text(process.stdin)));
  const { network: name, rpcUrl: givenUrl, agptSupply, pricesFrom, folder, ...rest } = request;
  const deployerPrivateKey = requireKey();
  const network = readNetworkParameters(name);
  const rpcUrl = givenUrl ?? findRpcUrl(network.chainId);
  const place = { rpcUrl, chainId: network.chainId, deployerPrivateKey };
  const deploymentDir = join(folder, '.autopay/deployments', name);

  if ((await readCompleted(deploymentDir)) === undefined) {
    await requireForeignContracts(rpcUrl, network);
    await requireBalance({ ...place, nativeToken: network.nativeToken });
    say(`deploying to ${network.name}; an interruption is completed by the same command`);
  } else say(`${network.name} has its deployment already`);
  const deployment = await deploySystem({
    ...{ ...place, deploymentDir, network },
    choices: { ...rest, agptSupply: parseUnits(agptSupply, 18) },
    priceRootOf: (tokens) => readPriceRoot(pricesFrom, tokens),
  });
  say(
    `what is there was compared with the parameters; wrote ${await writeAddressFile(join(folder, 'addresses'), deployment)}`,
  );
  await verifySources({ ...place, deploymentDir, say });
  say(await describeVotes({ rpcUrl, deployment, holder: rest.agptHolder }));
  process.stdout.write(`${JSON.stringify(deployment, null, 2)}\n`);
}

try {
  await run();
} catch (error) {
  const hint = error instanceof AutoPayError ? ` (${error.code})` : '';
  const message = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : error;
  process.stderr.write(`autopay: ${String(message)}${hint}\n`);
  process.exitCode = 1;
}
