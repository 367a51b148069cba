import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens, Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { priceRootOf } from '../../server/config/list-prices.ts';

/** Whose calls a new stack's relay sells: OpenAI's (or an alike), or the simulated provider's. */
export interface SoldProvider {
  kind: 'simulated' | 'openai';
  baseUrl: string;
}

export interface WriteConfigOptions {
  dataDir: string;
  port: number;
  chain: { id: number; rpcUrl: string };
  deployed: Deployment;
  provider: SoldProvider;
  /** Top-level members of autopay.yaml that replace those written here. */
  overrides?: Readonly<Record<string, unknown>>;
}

interface Price {
  prompt: string;
  completion: string;
  cachedPrompt?: string;
}

/** AGPT per USDC, as in the accounting rate with which a local deployment begins. */
const AGPT_PER_USDC = '100';

/** USDC per 1,000,000 tokens; what the simulated provider would charge is for the asking. */
const SIMULATED_PRICES: Readonly<Record<string, Price>> = {
  'sim-small': { prompt: '0.15', completion: '0.60', cachedPrompt: '0.075' },
  'sim-large': { prompt: '2.50', completion: '10', cachedPrompt: '1.25' },
};

/**
 * USD per 1,000,000 tokens, as npm @pydantic/genai-prices 0.1.8 has them for OpenAI: a start, to be kept up in
 * autopay.yaml by whoever sells.
 */
const OPENAI_PRICES: Readonly<Record<string, Price & { contextTokens: number; maxOutputTokens: number }>> = {
  'gpt-4o-mini': {
    prompt: '0.15',
    completion: '0.60',
    cachedPrompt: '0.075',
    contextTokens: 128_000,
    maxOutputTokens: 16_384,
  },
  'gpt-4o': { prompt: '2.50', completion: '10', cachedPrompt: '1.25', contextTokens: 128_000, maxOutputTokens: 16_384 },
  'gpt-4.1-mini': {
    prompt: '0.40',
    completion: '1.60',
    cachedPrompt: '0.10',
    contextTokens: 1_047_576,
    maxOutputTokens: 32_768,
  },
  'gpt-4.1': { prompt: '2', completion: '8', cachedPrompt: '0.50', contextTokens: 1_047_576, maxOutputTokens: 32_768 },
};

function describeRoutes(kind: SoldProvider['kind']): object[] {
  if (kind === 'openai') {
    return Object.entries(OPENAI_PRICES).map(([model, { contextTokens, maxOutputTokens, ...price }]) => ({
      model,
      deployments: [{ provider: 'openai', model }],
      price,
      contextTokens,
      maxOutputTokens,
    }));
  }
  const deployments = (model: string) => [{ provider: 'simulated', model, region: 'local' }];
  return [
    ...Object.entries(SIMULATED_PRICES).map(([model, price]) => ({
      ...{ model, deployments: deployments(model), price },
      // The simulator's models hide no output.
      firstSlice: true,
    })),
    { model: 'sim-free', deployments: deployments('sim-free'), free: true },
  ];
}

/** Prices are in USDC; AGPT follows at a fixed rate. */
function describeTokens({ USDC: usdc, AGPT: agpt }: DeployedTokens): object[] {
  if (!usdc || !agpt) throw new AutoPayError('invalid_configuration', 'A deployment has the tokens USDC and AGPT.');
  return [
    { symbol: 'USDC', ...usdc },
    { symbol: 'AGPT', ...agpt, rate: AGPT_PER_USDC },
  ];
}

/**
 * The root of the price table that the relay will make of what `writeConfig` writes: the deployment publishes it.
 *
 * @returns 32 zero bytes if nothing costs anything
 */
export function priceRootOfStack(options: {
  tokens: DeployedTokens;
  provider: SoldProvider;
  overrides?: Readonly<Record<string, unknown>>;
}): Hex {
  const { tokens, provider, overrides } = options;
  return priceRootOf({ tokens: describeTokens(tokens), routes: describeRoutes(provider.kind), ...overrides });
}

/** The path of the relay's configuration in a data folder. */
function configPath(dataDir: string): string {
  return join(dataDir, 'autopay.yaml');
}

/** Writes autopay.yaml for a new stack. */
export async function writeConfig(options: WriteConfigOptions): Promise<void> {
  const { provider, chain, deployed } = options;
  const config = {
    listen: { host: '127.0.0.1', port: options.port },
    chain: { ...chain, deployedAtBlock: deployed.deployedAtBlock },
    contracts: deployed.contracts,
    tokens: describeTokens(deployed.tokens),
    providers: [
      provider.kind === 'openai'
        ? { name: 'openai', baseUrl: provider.baseUrl, apiKeyEnv: 'OPENAI_API_KEY' }
        : { name: 'simulated', baseUrl: provider.baseUrl },
    ],
    routes: describeRoutes(provider.kind),
    payment: { suggestedDeposit: '5' },
    ...options.overrides,
  };
  const head =
    '# The relay’s configuration, written by npm start. Amounts are in USDC, the first token; prices per 1,000,000 tokens.\n';
  await writeFile(configPath(options.dataDir), head + stringify(config, { lineWidth: 0 }), { mode: 0o600 });
}

/**
 * Looks into the autopay.yaml of a persistent stack, which is kept as its owner left it.
 *
 * @returns `undefined` if there is none; else where it expects the simulated provider, if it names that
 */
export async function readConfiguredSimulator(dataDir: string): Promise<{ baseUrl: string | undefined } | undefined> {
  const text = await readFile(configPath(dataDir), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const config = parse(text) as { providers?: { name?: string; baseUrl?: string }[] } | null;
  return { baseUrl: config?.providers?.find((provider) => provider.name === 'simulated')?.baseUrl };
}
