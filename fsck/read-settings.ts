import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { Deployment } from '../protocol/deployment/deployment-schema.ts';
import { missingDeployment, parseDeployment } from '../protocol/deployment/parse-deployment.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { readPriceTables } from './read-price-tables.ts';
import { readPriceRows, type SettingsToken } from './read-prices.ts';
import { address, count, list, mapping, text, type Mapping } from './read-values.ts';

/** Where `autopay deploy` writes what is deployed on which chain. */
const addressesDir = join(import.meta.dirname, '..', 'addresses');

/** Where a relay's contracts are. */
export interface ContractAddresses {
  paymentChannels: Hex;
  autoPayLLM: Hex;
  auditLog: Hex;
  priceBook: Hex;
  priceOracle: Hex;
  keyRegistry: Hex;
}

/** What the checker takes from `autopay.yaml`. */
export interface Settings {
  rpcUrl: string;
  chainId: number;
  deployedAtBlock: number;
  contracts: ContractAddresses;
  tokens: readonly SettingsToken[];
  /** The price table, as far as the file tells it. */
  rows: readonly PriceRow[];
  /** Every price table that the relay has sold under, by root. */
  tables: ReadonlyMap<Hex, readonly PriceRow[]>;
}

/**
 * Reads a relay's configuration by itself, as it is for the home chain: what the relay makes of that file is among the things that
 * are checked.
 * @param publishedDir folder with the addresses of deployments, for a file that names no contracts: the project's by default
 * @throws AutoPayError `invalid_configuration`.
 */
export async function readSettings(dataDir: string, publishedDir = addressesDir): Promise<Settings> {
  const [home] = await readChainSettings(dataDir, publishedDir);
  return home;
}

/**
 * The same for each chain of the configuration, the home chain first.
 * @throws AutoPayError `invalid_configuration`.
 */
export async function readChainSettings(
  dataDir: string,
  publishedDir = addressesDir,
): Promise<readonly [Settings, ...Settings[]]> {
  const file = join(dataDir, 'autopay.yaml');
  try {
    const yaml = parse(await readFile(file, 'utf8')) as Mapping;
    // A single chain may be written without a list.
    const chains = yaml['chains'] === undefined ? [mapping(yaml['chain'])] : list(yaml['chains']).map(mapping);
    const ordered = chains.toSorted((one, other) => Number(other['home'] === true) - Number(one['home'] === true));
    const tables = await readPriceTables(join(dataDir, 'prices'));
    const [home, ...others] = await Promise.all(
      ordered.map(async (chain) => ({
        ...(await readChain({ ...yaml, ...(yaml['chains'] !== undefined && chain), chain }, publishedDir)),
        tables,
      })),
    );
    if (home === undefined) throw new TypeError('there is no chain');
    return [home, ...others];
  } catch (cause) {
    if (cause instanceof AutoPayError) throw cause;
    const reason = cause instanceof Error ? cause.message : 'unreadable';
    throw new AutoPayError(
      'invalid_configuration',
      `${file} does not tell where the relay's contracts are and what it sells: ${reason}.`,
      { cause },
    );
  }
}

/** @param yaml the file with the contracts and tokens of one chain, which is `chain` */
async function readChain(yaml: Mapping, publishedDir: string): Promise<Omit<Settings, 'tables'>> {
  const chain = mapping(yaml['chain']);
  const chainId = count(chain['id']);
  const published = yaml['contracts'] === undefined ? await readPublished(publishedDir, chainId) : undefined;
  const contracts = published?.contracts ?? mapping(yaml['contracts']);
  return {
    rpcUrl: text(chain['rpcUrl']),
    chainId,
    deployedAtBlock: count(chain['deployedAtBlock'] ?? published?.deployedAtBlock),
    contracts: {
      paymentChannels: address(contracts['paymentChannels']),
      autoPayLLM: address(contracts['autoPayLLM']),
      auditLog: address(contracts['auditLog']),
      priceBook: address(contracts['priceBook']),
      priceOracle: address(contracts['priceOracle']),
      keyRegistry: address(contracts['keyRegistry']),
    },
    ...readPriceRows(yaml),
  };
}

async function readPublished(folder: string, chainId: number): Promise<Deployment> {
  const content = await readFile(join(folder, `${chainId}.json`), 'utf8').catch((cause: unknown) => {
    throw missingDeployment(chainId, cause);
  });
  return parseDeployment(content, chainId);
}
