import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { deploymentSchema, type DeployedTokens, type Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { operatorChoicesSchema, type OperatorChoices } from './deployment-options.ts';

/** Sends one JSON-RPC request. */
export type RpcRequest = (method: string, ...params: unknown[]) => Promise<unknown>;

async function readJsonIfPresent(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await mkdir(folder, { recursive: true });
  const text = JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner), 2);
  await writeFile(join(folder, name), `${text}\n`);
}

/** Where Ignition keeps its journal of a chain. */
export function journalFolder(folder: string, chainId: number): string {
  return join(folder, 'deployments', `chain-${chainId}`);
}

/**
 * A local chain forgets everything when it stops, and the journal does not: Ignition would then answer with addresses at
 * which there is nothing.
 *
 * @throws AutoPayError `invalid_configuration` if the folder is of a chain that is gone
 */
export async function requireSameChain(folder: string, chainId: number, request: RpcRequest): Promise<void> {
  const file = join(journalFolder(folder, chainId), 'deployed_addresses.json');
  const addresses = ((await readJsonIfPresent(file)) ?? {}) as Record<string, string>;
  for (const [name, address] of Object.entries(addresses)) {
    if ((await request('eth_getCode', address, 'latest')) !== '0x') continue;
    throw new AutoPayError(
      'invalid_configuration',
      `${folder} says that ${name} is at ${address}, but the chain has nothing there: it has started anew. Use a new folder.`,
    );
  }
}

/** Remembers where the deployment began, so that a repeat answers the same. */
export async function recordFirstBlock(folder: string, blockNumber: bigint): Promise<number> {
  const recorded = (await readJsonIfPresent(join(folder, 'first-block.json'))) as { firstBlock: number } | undefined;
  if (recorded !== undefined) return recorded.firstBlock;
  await writeJson(folder, 'first-block.json', { firstBlock: Number(blockNumber) });
  return Number(blockNumber);
}

/**
 * Remembers what a deployment began with: it is completed with that, whatever is asked for meanwhile, because half of it may
 * be on the chain.
 *
 * @throws AutoPayError `invalid_configuration` if it began for another relay or USDC
 */
export async function recordChoices(folder: string, choices: OperatorChoices): Promise<OperatorChoices> {
  const recorded = await readJsonIfPresent(join(folder, 'choices.json'));
  if (recorded === undefined) {
    await writeJson(folder, 'choices.json', choices);
    return choices;
  }
  const earlier = operatorChoicesSchema.parse(recorded);
  for (const name of ['relay', 'usdc', 'agptHolder'] as const) {
    if (earlier[name] === choices[name]) continue;
    throw new AutoPayError(
      'invalid_configuration',
      `${folder} holds a deployment with ${name} ${earlier[name] ?? '(none)'}, not ${choices[name] ?? '(none)'}. Use a new folder, or let the vote change it.`,
    );
  }
  return earlier;
}

/** The tokens, and the root of the first price table over them. */
export interface Foundation {
  tokens: DeployedTokens;
  priceRoot: Hex;
}

/** Remembers the tokens and the first price table; `lay` is called only as long as they are not there. */
export async function recordFoundation(folder: string, lay: () => Promise<Foundation>): Promise<Foundation> {
  const recorded = (await readJsonIfPresent(join(folder, 'foundation.json'))) as Foundation | undefined;
  if (recorded !== undefined) return recorded;
  const foundation = await lay();
  await writeJson(folder, 'foundation.json', foundation);
  return foundation;
}

/** What was deployed from this folder, if that was completed. */
export async function readCompleted(folder: string): Promise<Deployment | undefined> {
  const recorded = await readJsonIfPresent(join(folder, 'deployment.json'));
  return recorded === undefined ? undefined : deploymentSchema.parse(recorded);
}

/** Notes that everything was deployed, handed over and checked. */
export async function recordCompleted(folder: string, deployment: Deployment): Promise<void> {
  await writeJson(folder, 'deployment.json', deployment);
}
