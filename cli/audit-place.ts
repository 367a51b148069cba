import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { createPublicClient, http } from 'viem';
import { asChainError } from '../client/chain/send-transaction.ts';
import { fetchCatalogue } from '../client/fetch-catalogue.ts';
import type { AuditDeployment } from '../fsck/audit-chain.ts';
import { openCarSource } from '../fsck/car-source.ts';
import { createFolderSource } from '../fsck/check-blocks.ts';
import { createFirstSource } from '../fsck/first-source.ts';
import { readPriceTables } from '../fsck/read-price-tables.ts';
import type { LogSource } from '../fsck/verify-checkpoint.ts';
import type { BlockSource } from '../fsck/walk-log.ts';
import { deploymentSchema, type Deployment, type DeployedTokens } from '../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { parseJson } from '../protocol/text/parse-json.ts';
import type { CommandContext } from './command-context.ts';
import { createGatewaySource } from './gateway-source.ts';
import { createHttpLogSource } from './log-source.ts';
import { addressesDir } from './open-command-deployment.ts';
import { defaultDataDir, type Stack } from './read-stack.ts';

/** A relay that does not end its answer must not keep a verification from its end. */
const catalogueTimeoutMs = 10_000;

/** Where a verification takes its chain, its blocks and its prices from. */
export interface AuditSourceOptions {
  /** JSON-RPC endpoint; without it, the stack's. */
  rpc?: string;
  /** With `rpc`: a deployment's file, instead of `addresses/<chainId>.json`. */
  contracts?: string;
  /** Folder with the blocks. */
  blocks?: string;
  /** CAR file with the blocks. */
  car?: string;
  /** URLs of IPFS gateways, with commas between. */
  ipfs?: string;
  /** A relay whose own log is held against the anchored one. */
  relay?: string;
  /** Folder with price tables, `<root>.json`. */
  prices?: string;
}

/** Where a verification works. */
export interface AuditPlace {
  deployment: AuditDeployment;
  tokens: DeployedTokens;
  /** The wallet's folder: its receipts, and what was seen of logs. */
  stateDir: string;
  /** Of the stack; undefined with `--rpc`. */
  stack?: Stack;
}

/**
 * Finds chain and contracts: the stack's, or with `--rpc` those of a deployment's file. Without a stack, the wallet's folder is that of
 * the data folder, or else ~/.autopay.
 * @throws AutoPayError `stack_not_found`, `invalid_argument`, `invalid_configuration`, `chain_unavailable`
 */
export async function findAuditPlace(context: CommandContext, options: AuditSourceOptions): Promise<AuditPlace> {
  if (options.rpc === undefined) {
    if (options.contracts !== undefined) {
      throw new AutoPayError(
        'invalid_argument',
        '--contracts goes with --rpc: the stack of the data folder has its own.',
      );
    }
    const stack = await context.stack();
    const { rpcUrl, chainId, contracts, deployedAtBlock, tokens, dataDir } = stack;
    return {
      deployment: { rpcUrl, chainId, contracts, deployedAtBlock },
      tokens,
      stateDir: join(dataDir, 'client'),
      stack,
    };
  }
  const { rpc } = options;
  const { chainId, contracts, deployedAtBlock, tokens } = await readDeployment(rpc, options.contracts);
  // npm start takes its folder only as it left it, and empties it: what was seen of other logs is kept elsewhere.
  const isOwn = context.dataDir !== defaultDataDir || existsSync(join(context.dataDir, 'client'));
  const folder = isOwn ? resolve(context.dataDir) : join(homedir(), '.autopay');
  return { deployment: { rpcUrl: rpc, chainId, contracts, deployedAtBlock }, tokens, stateDir: join(folder, 'client') };
}

async function readDeployment(rpcUrl: string, file: string | undefined): Promise<Deployment> {
  if (!URL.canParse(rpcUrl)) {
    throw new AutoPayError('invalid_argument', '--rpc takes the URL of an endpoint, such as https://mainnet.base.org.');
  }
  const reader = createPublicClient({ transport: http(rpcUrl, { retryCount: 1 }) });
  const chainId = await reader.getChainId().catch((error: unknown) => {
    throw asChainError(error, 'Reading the chain id');
  });
  const path = file ?? join(addressesDir, `${chainId}.json`);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const why = `There is no ${path}, which would say where the contracts are on chain ${chainId}.`;
    throw new AutoPayError('invalid_configuration', `${why} Give such a file with --contracts.`, { cause });
  });
  const parsed = deploymentSchema.safeParse(parseJson(text));
  if (parsed.success && parsed.data.chainId === chainId) return parsed.data;
  const why = parsed.success ? `tells of chain ${parsed.data.chainId}` : 'does not say where the contracts are';
  throw new AutoPayError('invalid_configuration', `${path} ${why}, and the endpoint is on chain ${chainId}.`);
}

/** Blocks, and what has to be closed when they are read. */
export interface OpenBlocks {
  source: BlockSource;
  close: () => Promise<void>;
}

/**
 * The sources of blocks that were named, each tried before the next: CAR file, folder, gateways; without any, the stack's folder.
 * @throws AutoPayError `invalid_argument` if there is none, `invalid_encoding` if a CAR file is none
 */
export async function openBlocks(
  { blocks, ipfs, car }: AuditSourceOptions,
  { stack }: AuditPlace,
): Promise<OpenBlocks> {
  const gateways = ipfs?.split(',').map((url) => createGatewaySource(url.trim())) ?? [];
  const isNamed = gateways.length > 0 || car !== undefined;
  const folder = blocks ?? (isNamed ? undefined : stack?.blocksDir);
  const archive = car === undefined ? undefined : await openCarSource(car);
  const folders = folder === undefined ? [] : [createFolderSource(folder)];
  const sources = [...(archive ? [archive] : []), ...folders, ...gateways];
  if (sources.length > 0) return { source: createFirstSource(sources), close: async () => archive?.close() };
  throw new AutoPayError(
    'invalid_argument',
    'Say where the blocks of the log are: --ipfs URL, --car FILE or --blocks DIR.',
  );
}

/** The relay's own log: that of `--relay`, or the stack's. */
export function openLogSource({ relay }: AuditSourceOptions, { stack }: AuditPlace): LogSource | undefined {
  const url = relay ?? stack?.relayUrl;
  return url === undefined ? undefined : createHttpLogSource(url);
}

/**
 * The price tables that are at hand: those of `--prices`, those that the stack's relay kept, and what the relay lists now. None has to be
 * believed: a receipt names its table by its root.
 */
export async function collectPriceTables(
  { prices, relay }: AuditSourceOptions,
  { stack }: AuditPlace,
): Promise<(readonly PriceRow[])[]> {
  const folders = [...(prices === undefined ? [] : [prices]), ...(stack ? [join(stack.dataDir, 'prices')] : [])];
  const kept = await Promise.all(folders.map(readPriceTables));
  const url = relay ?? stack?.relayUrl;
  return [...kept.flatMap((tables) => [...tables.values()]), ...(url === undefined ? [] : await fetchPrices(url))];
}

async function fetchPrices(relayUrl: string): Promise<PriceRow[][]> {
  try {
    const signal = AbortSignal.timeout(catalogueTimeoutMs);
    const { models } = await fetchCatalogue({ relayUrl, fetch: (url, init) => fetch(url, { ...init, signal }) });
    return [[...models.values()].flatMap(({ rows }) => rows)];
  } catch {
    // Without the relay all but the newest prices is checked all the same.
    return [];
  }
}
